//! launchd as a program that keeps its word, and as one that does not.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::ServiceManager;

/// A launchctl whose domains are directories and whose jobs are files with a process number. It takes `bootstrap gui/…`
/// without doing anything where a file `no-desktop` is, fails where there is `refuse`, fails as often as `busy` has lines
/// and for the last one has succeeded nevertheless, starts nothing where there is `lazy` until it is told to, and never
/// answers where there is `stuck`.
const LAUNCHCTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >> calls
[ ! -e stuck ] || exec sleep 1000
case $1 in
managername) cat manager ;;
bootstrap)
  [ ! -e refuse ] || { echo 'Bootstrap failed: 5: Input/output error' >&2; exit 5; }
  if [ -s busy ]; then
    sed -i 1d busy
    [ ! -s busy ] || { echo 'Bootstrap failed: 37: Operation already in progress' >&2; exit 37; }
    status=5
  fi
  case $2 in gui/*) [ ! -e no-desktop ] || exit 0 ;; esac
  name=$(basename "$3" .plist)
  mkdir -p "$2"
  [ ! -e "$2/$name" ] || exit 37
  if [ -e ends ]; then
    sh -c : & wait
    echo "last exit code = 78" > "$2/$name"
  elif [ -e lazy ]; then
    echo 'last exit code = (never exited)' > "$2/$name"
  else
    sleep 1000 > /dev/null 2>&1 &
    echo "pid = $!" > "$2/$name"
  fi
  exit ${status:-0} ;;
kickstart)
  sleep 1000 > /dev/null 2>&1 &
  echo "pid = $!" > "$2" ;;
print)
  if [ -d "$2" ]; then
    printf '%s = {\n\tservices = {\n' "$2"
    for job in "$2"/*; do [ -f "$job" ] && printf '\t\t 1 - \t%s\n' "$(basename "$job")"; done
    printf '\t}\n}\n'
    exit 0
  fi
  [ -e "$2" ] || { echo "Could not find service" >&2; exit 113; }
  printf '%s = {\n\t%s\n}\n' "$2" "$(cat "$2")" ;;
bootout)
  [ -e "$2" ] || exit 3
  kill "$(sed -n 's/pid = //p' "$2")" 2>/dev/null
  rm "$2" ;;
esac
"#;

struct Fixture {
    directory: tempfile::TempDir,
    launchd: Launchd,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("launchctl");
        fs::write(&program, LAUNCHCTL).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let launchd = Launchd {
            launchctl: Launchctl {
                program,
                deadline: Duration::from_secs(10),
            },
            uid: 501,
            agents: Some(directory.path().join("agents")),
            settle: Duration::from_secs(10),
            idle: Duration::from_millis(50),
            ..Launchd::new(&directory.path().join("run"))
        };
        let fixture = Self { directory, launchd };
        fixture.set("manager", "Aqua");
        fixture
    }

    fn set(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn job(&self, label: &str) -> Job {
        Job {
            label: label.to_owned(),
            program: "/bin/true".into(),
            arguments: Vec::new(),
            environment: [("SECRET".to_owned(), "s".to_owned())].into(),
            log: self.path("logs/log"),
            working_directory: "/".into(),
        }
    }

    fn jobs(&self, domain: &str) -> usize {
        fs::read_dir(self.path(domain)).map_or(0, Iterator::count)
    }
}

#[tokio::test]
async fn a_job_is_loaded_found_and_forgotten() {
    let fixture = Fixture::new();
    let manager = ServiceManager::open(&fixture.path("run")).unwrap();
    let job = fixture.job("dev.container.one");
    let pid = manager.start_with(&fixture.launchd, &job).await.unwrap();
    assert_eq!(manager.pid("dev.container.one").unwrap(), Some(pid));
    assert_eq!((fixture.jobs("gui/501"), fixture.jobs("user/501")), (1, 0));
    let name = fixture.launchd.job_name("dev.container.one");
    let path = fixture.path(&format!("run/launchd/{name}.plist"));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // Loading it anew ends what is there.
    let again = fixture.launchd.launch(&job).await.unwrap();
    assert_ne!(again, pid);
    assert_eq!(fixture.jobs("gui/501"), 1);

    fixture.launchd.forget("dev.container.one").await.unwrap();
    assert!(!path.exists());
    assert_eq!(fixture.jobs("gui/501"), 0);
    fixture.launchd.forget("dev.container.one").await.unwrap();
}

#[tokio::test]
async fn without_a_desktop_jobs_are_the_users() {
    for manager in ["Aqua", "Background"] {
        let fixture = Fixture::new();
        fixture.set("no-desktop", "");
        fixture.set("manager", manager);
        fixture.launchd.launch(&fixture.job("x")).await.unwrap();
        assert_eq!((fixture.jobs("gui/501"), fixture.jobs("user/501")), (0, 1));
        fixture.launchd.forget_all().await.unwrap();
        assert_eq!(fixture.jobs("user/501"), 0);
    }
}

#[tokio::test]
async fn agents_start_at_login_until_they_are_forgotten() {
    let fixture = Fixture::new();
    let launchd = fixture.launchd.clone().at_login(true);
    launchd.launch(&fixture.job("x")).await.unwrap();
    assert_eq!(fixture.jobs("agents"), 1);
    // Whoever forgets it need not know that.
    fixture.launchd.forget("x").await.unwrap();
    assert_eq!((fixture.jobs("agents"), fixture.jobs("gui/501")), (0, 0));
}

#[tokio::test]
async fn all_of_an_installation_go_and_nobody_elses() {
    let fixture = Fixture::new();
    for label in ["a", "b.c"] {
        fixture.launchd.launch(&fixture.job(label)).await.unwrap();
    }
    fixture.set("gui/501/com.example.other", "pid = -");
    fixture.launchd.forget_all().await.unwrap();
    assert_eq!(fixture.jobs("gui/501"), 1);
    assert_eq!(fixture.jobs("run/launchd"), 0);
}

#[tokio::test]
async fn a_launchd_that_is_busy_is_asked_again() {
    let fixture = Fixture::new();
    fixture.set("busy", "x\nx\nx\n");
    fixture.launchd.launch(&fixture.job("x")).await.unwrap();
    assert_eq!((fixture.jobs("gui/501"), fixture.jobs("user/501")), (1, 0));
    let calls = fs::read_to_string(fixture.path("calls")).unwrap();
    assert_eq!(calls.matches("bootstrap gui/501 ").count(), 3, "{calls}");
    fixture.launchd.forget_all().await.unwrap();
}

#[tokio::test]
async fn a_job_that_was_loaded_and_not_started_is_started() {
    let fixture = Fixture::new();
    fixture.set("lazy", "");
    fixture.launchd.launch(&fixture.job("x")).await.unwrap();
    let calls = fs::read_to_string(fixture.path("calls")).unwrap();
    assert_eq!(calls.matches("kickstart gui/501/x.").count(), 1, "{calls}");
    fixture.launchd.forget_all().await.unwrap();
}

#[tokio::test]
async fn failures_say_what_launchd_said() {
    let mut fixture = Fixture::new();
    fixture.launchd.settle = Duration::from_millis(50);
    fixture.set("refuse", "");
    let error = fixture
        .launchd
        .launch(&fixture.job("x"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("launchctl bootstrap gui/501 /"), "{error}");
    assert!(
        error.ends_with(".plist failed: Bootstrap failed: 5: Input/output error"),
        "{error}"
    );

    let fixture = Fixture::new();
    fixture.set("ends", "");
    let error = fixture.launchd.launch(&fixture.job("x")).await.unwrap_err();
    assert!(matches!(error, Error::EndedAtOnce { .. }), "{error}");
}

#[tokio::test]
async fn a_launchd_that_does_not_answer_is_an_error() {
    let mut fixture = Fixture::new();
    fixture.set("stuck", "");
    fixture.launchd.launchctl.deadline = Duration::from_millis(50);
    for result in [
        fixture.launchd.launch(&fixture.job("x")).await.map(drop),
        fixture.launchd.forget("x").await,
        fixture.launchd.forget_all().await,
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with("failed: no answer within 0.05 s"), "{error}");
    }
}
