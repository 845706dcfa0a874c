//! Jobs as their users see them: real processes are started, found, awaited and stopped.
#![cfg(target_os = "linux")]

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use container_service_manager::{Activated, Error, Job, LISTENER_FD, ServiceManager};
use tokio::time::timeout;

/// Far longer than any step takes, so that only a hang reaches it.
const SOON: Duration = Duration::from_secs(20);

fn shell(dir: &Path, label: &str, script: &str) -> Job {
    Job {
        label: label.into(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
        log: dir.join("logs").join(format!("{label}.log")),
        working_directory: dir.to_path_buf(),
    }
}

fn open() -> (tempfile::TempDir, ServiceManager) {
    let dir = tempfile::tempdir().unwrap();
    let manager = ServiceManager::open(&dir.path().join("run")).unwrap();
    (dir, manager)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir.join("run/jobs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .nth(19)
        .unwrap()
        .parse()
        .unwrap()
}

/// A process that must not be harmed, until the test is over.
struct Bystander(std::process::Child);

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn a_job_is_started_found_and_stopped() {
    let (dir, manager) = open();
    let job = shell(
        dir.path(),
        "sleeper",
        "echo out; echo err >&2; pwd; exec sleep 1000",
    );
    assert!(!manager.is_running("sleeper").unwrap());
    let pid = manager.start(&job).await.unwrap();
    assert_eq!(manager.pid("sleeper").unwrap(), Some(pid));
    assert_eq!(manager.list().unwrap(), ["sleeper"]);
    let again = ServiceManager::open(&dir.path().join("run")).unwrap();
    assert_eq!(again.pid("sleeper").unwrap(), Some(pid));
    let error = again.start(&job).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");

    let expected = format!("out\nerr\n{}\n", dir.path().canonicalize().unwrap().display());
    until("the log is written", || {
        std::fs::read_to_string(&job.log).unwrap() == expected
    })
    .await;

    let start = Instant::now();
    manager.stop("sleeper", SOON).await.unwrap();
    assert!(start.elapsed() < SOON / 2, "it ends by SIGTERM");
    assert!(!manager.is_running("sleeper").unwrap());
    assert!(manager.list().unwrap().is_empty());
    assert!(files(dir.path()).is_empty(), "{:?}", files(dir.path()));
    until("the process is reaped", || !exists(pid)).await;

    manager.start(&job).await.unwrap();
    manager.kill("sleeper").await.unwrap();
    let log = std::fs::read_to_string(&job.log).unwrap();
    assert!(log.starts_with(&expected), "the log is appended to: {log}");
    assert!(!manager.is_running("sleeper").unwrap());
    manager.stop("sleeper", SOON).await.unwrap();
    manager.kill("never heard of").await.unwrap();
}

#[tokio::test]
async fn one_that_ignores_sigterm_is_killed_at_the_deadline() {
    let (dir, manager) = open();
    let ready = dir.path().join("ready");
    let job = shell(
        dir.path(),
        "stubborn",
        "trap '' TERM; : > ready; while :; do sleep 0.1; done",
    );
    let pid = manager.start(&job).await.unwrap();
    until("the trap is set", || ready.exists()).await;
    let start = Instant::now();
    manager
        .stop("stubborn", Duration::from_millis(300))
        .await
        .unwrap();
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert!(start.elapsed() < SOON / 2);
    assert!(!manager.is_running("stubborn").unwrap());
    until("the process is reaped", || !exists(pid)).await;
}

#[tokio::test]
async fn an_end_is_noticed_at_once() {
    let (dir, manager) = open();
    let job = shell(dir.path(), "brief", "read line < gate; exit 3");
    assert!(
        Command::new("mkfifo")
            .arg(dir.path().join("gate"))
            .status()
            .unwrap()
            .success()
    );
    let pid = manager.start(&job).await.unwrap();
    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait("brief").await }
    });
    assert!(manager.is_running("brief").unwrap());
    assert!(!waiting.is_finished());
    std::fs::write(dir.path().join("gate"), "go\n").unwrap();
    timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    assert!(!manager.is_running("brief").unwrap());
    // Whoever notices it first removes the record.
    until("the record is removed", || files(dir.path()).is_empty()).await;
    until("the process is reaped while its starter lives", || !exists(pid)).await;
    timeout(SOON, manager.wait("brief")).await.unwrap().unwrap();
}

#[tokio::test]
async fn nothing_of_the_starter_is_inherited() {
    let (dir, manager) = open();
    // A descriptor without close-on-exec, as a careless parent leaves one.
    let leaked = rustix::io::dup(std::fs::File::open("/dev/zero").unwrap()).unwrap();
    let mut job = shell(
        dir.path(),
        "clean",
        "/usr/bin/env; readlink /proc/self/fd/*; cut -d' ' -f5-7 /proc/$$/stat; echo done $$",
    );
    job.environment.insert("CONTAINER_APP_ROOT".into(), "/x y".into());
    manager.start(&job).await.unwrap();
    manager.wait("clean").await.unwrap();
    drop(leaked);
    let log = std::fs::read_to_string(&job.log).unwrap();
    for line in log.lines().filter(|line| line.contains('=')) {
        let name = line.split('=').next().unwrap();
        // The shell itself sets the others.
        assert!(
            ["PATH", "CONTAINER_APP_ROOT", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name),
            "{line}"
        );
    }
    assert!(log.contains("CONTAINER_APP_ROOT=/x y\n"), "{log}");
    let files: Vec<_> = log.lines().filter(|line| line.starts_with('/')).collect();
    assert!(files.contains(&"/dev/null"), "{log}");
    assert!(
        files
            .iter()
            .all(|f| ["/dev/null", job.log.to_str().unwrap()].contains(f)),
        "{log}"
    );
    // Process group, session and terminal: its own, its own, none.
    let pid = log.lines().find_map(|line| line.strip_prefix("done ")).unwrap();
    assert!(log.contains(&format!("{pid} {pid} 0\n")), "{log}");
}

#[tokio::test]
async fn a_socket_can_be_handed_down() {
    let (dir, manager) = open();
    let path = dir.path().join("socket");
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let inode = |link: &str| std::fs::read_link(link).unwrap().to_string_lossy().into_owned();
    let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
    let ours = inode(&format!("/proc/self/fd/{number}"));
    let mut job = shell(
        dir.path(),
        "heir",
        "readlink /proc/$$/fd/3; ls /proc/$$/fd | wc -l; exec sleep 1000",
    );
    // The number is taken in this process already, or is not.
    let occupied = rustix::io::fcntl_dupfd_cloexec(&socket, LISTENER_FD).unwrap();
    manager
        .start_with(&Activated::new(socket.into()), &job)
        .await
        .unwrap();
    drop(occupied);
    until("the job looked", || {
        std::fs::read_to_string(&job.log).unwrap().lines().count() == 2
    })
    .await;
    // Besides the four there may be one of the shell's own.
    let log = std::fs::read_to_string(&job.log).unwrap();
    let (theirs, count) = log.trim_end().split_once('\n').unwrap();
    assert_eq!(theirs, ours);
    assert!((4..=5).contains(&count.trim().parse::<u32>().unwrap()), "{log}");

    // Only the job has it now: it goes with the job.
    std::os::unix::net::UnixStream::connect(&path).unwrap();
    manager.kill("heir").await.unwrap();
    // Between fork and exec the processes of other tests have a copy.
    until("the socket is dead", || {
        std::os::unix::net::UnixStream::connect(&path).is_err()
    })
    .await;

    // What cannot start is reported although a descriptor moves in between.
    job.program = "/no/such/program".into();
    let other = std::os::unix::net::UnixListener::bind(dir.path().join("other")).unwrap();
    let error = manager
        .start_with(&Activated::new(other.into()), &job)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Spawn { .. }), "{error}");
}

#[tokio::test]
async fn a_program_that_cannot_start_is_an_error_and_leaves_nothing() {
    let (dir, manager) = open();
    let mut job = shell(dir.path(), "missing", "");
    job.program = "/no/such/program".into();
    let error = manager.start(&job).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to start /no/such/program");
    job = shell(dir.path(), "missing", "");
    job.working_directory = "/no/such/directory".into();
    assert!(matches!(
        manager.start(&job).await.unwrap_err(),
        Error::Spawn { .. }
    ));
    assert!(files(dir.path()).is_empty());
    assert!(manager.list().unwrap().is_empty());
}

#[tokio::test]
async fn a_recycled_number_is_left_alone() {
    let (dir, manager) = open();
    let job = shell(dir.path(), "old", "exec sleep 1000");
    let pid = manager.start(&job).await.unwrap();
    let path = files(dir.path()).pop().unwrap();
    let record = std::fs::read_to_string(&path).unwrap();
    let mut bystander = Bystander(
        Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );

    // The record of a process that had the bystander's number a moment before it.
    let mut forged: serde_json::Value = serde_json::from_str(&record).unwrap();
    forged["pid"] = bystander.0.id().into();
    forged["startTime"] = (start_time(bystander.0.id()) - 1).into();
    let forged = forged.to_string();
    std::fs::write(&path, &forged).unwrap();
    assert!(!manager.is_running("old").unwrap());
    manager.stop("old", Duration::ZERO).await.unwrap();
    manager.kill("old").await.unwrap();
    timeout(SOON, manager.wait("old")).await.unwrap().unwrap();
    assert!(manager.list().unwrap().is_empty());
    assert!(!path.exists(), "it is forgotten");
    assert!(bystander.0.try_wait().unwrap().is_none(), "the bystander lives");

    // The same process number and start time, but in another run of the system.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let forged = record.replace(boot.trim(), "00000000-0000-0000-0000-000000000000");
    assert_ne!(forged, record);
    std::fs::write(&path, forged).unwrap();
    manager.kill("old").await.unwrap();

    for garbage in ["", "{}", "garbage", &record[..record.len() / 2]] {
        std::fs::write(&path, garbage).unwrap();
        assert!(!manager.is_running("old").unwrap());
        assert!(manager.list().unwrap().is_empty());
    }

    // The true record still finds the true process.
    std::fs::write(&path, &record).unwrap();
    assert_eq!(manager.pid("old").unwrap(), Some(pid));
    manager.kill("old").await.unwrap();
}

#[tokio::test]
async fn a_zombie_does_not_run() {
    let (dir, manager) = open();
    let job = shell(dir.path(), "ghost", "exec sleep 1000");
    manager.start(&job).await.unwrap();
    let path = files(dir.path()).pop().unwrap();
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manager.kill("ghost").await.unwrap();

    // A child of this process that ends and is not reaped.
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut ghost = record;
    ghost["pid"] = child.id().into();
    ghost["startTime"] = start_time(child.id()).into();
    std::fs::write(&path, ghost.to_string()).unwrap();
    assert!(manager.is_running("ghost").unwrap());

    let waiting = tokio::spawn({
        let manager = manager.clone();
        async move { manager.wait("ghost").await }
    });
    drop(child.stdin.take());
    timeout(SOON, waiting).await.unwrap().unwrap().unwrap();
    assert!(exists(child.id().try_into().unwrap()), "it is a zombie");
    std::fs::write(&path, ghost.to_string()).unwrap();
    assert!(!manager.is_running("ghost").unwrap());
    assert!(manager.list().unwrap().is_empty());
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_jobs_at_once() {
    let (dir, manager) = open();
    let starts: Vec<_> = (0..50)
        .map(|n| {
            let (manager, job) = (
                manager.clone(),
                shell(dir.path(), &format!("job.{n}"), "exec sleep 1000"),
            );
            tokio::spawn(async move { manager.start(&job).await.unwrap() })
        })
        .collect();
    let mut pids = Vec::new();
    for start in starts {
        pids.push(start.await.unwrap());
    }
    assert_eq!(manager.list().unwrap().len(), 50);
    let stops: Vec<_> = (0..50)
        .map(|n| {
            let manager = manager.clone();
            tokio::spawn(async move { manager.stop(&format!("job.{n}"), SOON).await.unwrap() })
        })
        .collect();
    for stop in stops {
        timeout(SOON, stop).await.unwrap().unwrap();
    }
    assert!(manager.list().unwrap().is_empty());
    assert!(files(dir.path()).is_empty(), "{:?}", files(dir.path()));
    until("all are reaped", || !pids.iter().any(|&pid| exists(pid))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_starters_of_one_label_one_wins() {
    let (dir, manager) = open();
    let starts: Vec<_> = (0..10)
        .map(|_| {
            let (manager, job) = (manager.clone(), shell(dir.path(), "one", "exec sleep 1000"));
            tokio::spawn(async move { manager.start(&job).await })
        })
        .collect();
    let mut won = 0;
    for start in starts {
        match start.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}"),
        }
    }
    assert_eq!(won, 1);
    manager.kill("one").await.unwrap();
}

/// Not a test of its own: what `a_job_survives_its_starter` runs in another process.
#[tokio::test]
async fn starter() {
    let Some(dir) = std::env::var_os("STARTER_DIRECTORY").map(PathBuf::from) else {
        return;
    };
    let manager = ServiceManager::open(&dir.join("run")).unwrap();
    manager.register_self("starter").await.unwrap();
    manager.register_self("starter").await.unwrap();
    manager
        .start(&shell(&dir, "survivor", "exec sleep 1000"))
        .await
        .unwrap();
    std::fs::write(dir.join("started"), "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_job_survives_its_starter() {
    let (dir, manager) = open();
    let mut starter = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starter"])
        .env("STARTER_DIRECTORY", dir.path())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let started = dir.path().join("started");
    until("the job is started", || started.exists()).await;
    assert_eq!(manager.list().unwrap(), ["starter", "survivor"]);
    assert_eq!(manager.pid("starter").unwrap(), i32::try_from(starter.id()).ok());
    let error = manager.register_self("starter").await.unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
    let pid = manager.pid("survivor").unwrap().unwrap();

    // The whole process group, as a terminal's hangup or Ctrl-C reaches it.
    let group = rustix::process::Pid::from_raw(starter.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    starter.wait().unwrap();
    assert_eq!(manager.list().unwrap(), ["survivor"]);
    assert_eq!(manager.pid("survivor").unwrap(), Some(pid));

    // And somebody else can stop it.
    manager.stop("survivor", SOON).await.unwrap();
    assert!(manager.list().unwrap().is_empty());
}
