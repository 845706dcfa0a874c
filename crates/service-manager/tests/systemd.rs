//! The user's systemd for real. Where none answers, as in most build machines, this says so and tests
//! nothing; `tests/with-user-manager.sh` provides one.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::{Duration, Instant};

use container_service_manager::systemd::UserManager;
use container_service_manager::{Error, Job, ServiceManager};

/// Far longer than any step takes, so that only a hang reaches it.
const SOON: Duration = Duration::from_secs(20);

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_unit_runs_and_what_it_started_survives_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let manager = ServiceManager::open(&run).unwrap();
    let before = Instant::now();
    let Some(systemd) = UserManager::detect(&run).await else {
        assert!(
            before.elapsed() < Duration::from_secs(5),
            "a missing manager is found missing quickly"
        );
        eprintln!("SKIPPED: no systemd user manager answers");
        return;
    };
    let label = "container-test";
    let mut job = Job {
        label: label.into(),
        program: "/bin/sh".into(),
        arguments: vec![
            "-c".into(),
            "setsid sleep 1000 & echo \"$! $0 $ODD\"; exec sleep 1000".into(),
            "50% $HOME \"x\"".into(),
        ],
        environment: [("PATH", "/usr/bin:/bin"), ("ODD", "a b %h $x \"y\" \\z")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        log: dir.path().join("logs/a 100% log"),
        working_directory: dir.path().to_path_buf(),
    };
    let pid = manager.start_with(&systemd, &job).await.unwrap();
    assert_eq!(manager.pid(label).unwrap(), Some(pid));
    let error = manager.start_with(&systemd, &job).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");

    let read = || std::fs::read_to_string(&job.log).unwrap_or_default();
    until("the log is written", || read().ends_with('\n')).await;
    let log = read();
    let (helper, rest) = log.trim_end().split_once(' ').unwrap();
    assert_eq!(rest, "50% $HOME \"x\" a b %h $x \"y\" \\z");

    manager.kill(label).await.unwrap();
    assert!(!manager.is_running(label).unwrap());
    let helper = rustix::process::Pid::from_raw(helper.parse().unwrap()).unwrap();
    rustix::process::test_kill_process(helper).expect("the helper survives");

    // A unit that failed starts again, and stops when asked.
    job.arguments = vec!["-c".into(), "exec sleep 1000".into()];
    let again = manager.start_with(&systemd, &job).await.unwrap();
    assert_ne!(again, pid);
    rustix::process::test_kill_process(helper).expect("the helper survives a new start");
    manager.stop(label, SOON).await.unwrap();
    rustix::process::kill_process(helper, rustix::process::Signal::KILL).unwrap();

    // At login.
    let units = std::env::home_dir().unwrap().join(".config/systemd/user");
    let unit = systemd.unit_name(label);
    let wanted = units.join("default.target.wants").join(&unit);
    manager
        .start_with(&systemd.clone().at_login(true), &job)
        .await
        .unwrap();
    assert!(units.join(&unit).exists());
    assert!(wanted.symlink_metadata().is_ok());
    systemd.forget(label).await.unwrap();
    assert!(!units.join(&unit).exists());
    assert!(wanted.symlink_metadata().is_err());
    assert!(manager.is_running(label).unwrap(), "forgetting is not stopping");
    manager.stop(label, SOON).await.unwrap();
    assert!(manager.list().unwrap().is_empty());

    // One that ends at once says so.
    job.program = Path::new("/no/such/program").into();
    let error = manager.start_with(&systemd, &job).await.unwrap_err();
    assert!(matches!(error, Error::Systemctl { .. }), "{error}");
    systemd.forget(label).await.unwrap();
}
