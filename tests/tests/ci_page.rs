//! The script of `docs/ci.md`, run as a job would.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use container_tests::{Finished, System, eventually, finish, program, signal, wait_at_most};

/// The block of the page that is a whole script.
fn script() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ci.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, rest) = page.split_once("```sh\n#!/bin/sh\n").expect("a script");
    rest.split_once("\n```").expect("its end").0.to_owned()
}

struct Job {
    system: System,
    checkout: PathBuf,
}

impl Job {
    fn new() -> Self {
        let system = System::start();
        let checkout = system.home().join("checkout");
        std::fs::create_dir(&checkout).expect("a directory");
        std::fs::write(checkout.join("job.sh"), script()).expect("the script");
        Self { system, checkout }
    }

    fn command(&self, variables: &[(&str, &str)]) -> Command {
        // The system's own commands know the environment; only the program is another.
        let ours = self.system.command(["--version"]);
        let mut command = Command::new("sh");
        command
            .arg("job.sh")
            .env_clear()
            .current_dir(&self.checkout)
            .stdin(Stdio::null());
        command.envs(ours.get_envs().filter_map(|(key, value)| Some((key, value?))));
        let programs = program("container");
        let path = format!(
            "{}:/usr/bin:/bin",
            programs.parent().expect("a directory").display()
        );
        command
            .env("PATH", path)
            .env("IMAGE", "busybox")
            .env("CI_JOB_ID", "7");
        command.envs(variables.iter().copied());
        command
    }

    fn run(&self, variables: &[(&str, &str)]) -> Finished {
        finish(self.command(variables), b"")
    }

    fn artifact(&self, name: &str) -> String {
        std::fs::read_to_string(self.checkout.join("artifacts").join(name)).unwrap_or_default()
    }

    fn is_clean(&self) {
        assert_eq!(self.system.ok(["list", "-a", "-q"]), "", "nothing is left");
    }
}

#[test]
fn the_job_of_the_page() {
    let job = Job::new();
    let passed = job.run(&[(
        "BUILD",
        "echo built > /out/program; echo building; echo warning >&2",
    )]);
    assert_eq!(passed.code, 0, "{passed:?}");
    assert!(
        passed.stdout.contains("--- build\nbuilding\n--- test\n"),
        "{passed:?}"
    );
    assert!(passed.stderr.contains("warning\n"), "{passed:?}");
    assert_eq!(job.artifact("out/program"), "built\n");
    assert!(job.artifact("job-7.log").ends_with(" up\n"));
    job.is_clean();

    let failed = job.run(&[("TEST", "echo wrong >&2; exit 9")]);
    assert_eq!(failed.code, 9, "{failed:?}");
    assert!(job.artifact("job-7.boot.log").contains("vminitd"));
    assert!(job.artifact("job-7.json").contains("\"id\" : \"job-7\""));
    job.is_clean();

    let readonly = job.run(&[("BUILD", "touch /src/stray")]);
    assert_ne!(readonly.code, 0, "the checkout is read-only: {readonly:?}");
    job.is_clean();

    let mut cancelled: Child = job
        .command(&[("BUILD", "echo started > /out/mark; exec sleep 1000")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the job");
    eventually(Duration::from_secs(60), "the build step", || {
        job.system.run(["exec", "job-7", "cat", "/out/mark"]).stdout == "started\n"
    });
    // A runner ends the whole process group; the step's command passes the signal on and ends.
    for process in job.system.processes("exec -e CI=true") {
        signal("TERM", process);
    }
    signal("TERM", i32::try_from(cancelled.id()).expect("a process id"));
    assert_eq!(wait_at_most(&mut cancelled, Duration::from_secs(30)), 143);
    job.is_clean();
}
