//! Containers that start again: `restart`, and restart policies.

use std::time::Duration;

use container_tests::{System, eventually};

/// How long a few starts may take on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn lines(system: &System, id: &str) -> usize {
    system.run(["logs", id]).stdout.lines().count()
}

#[test]
fn a_container_that_deletes_itself_survives_a_restart() {
    let system = System::start();
    let script = "date +%s%N; exec sleep 1000";
    system.ok([
        "run", "-d", "--rm", "--name", "temp", "busybox", "sh", "-c", script,
    ]);
    let first = system.inspect("temp")["status"]["startedDate"].clone();
    assert_eq!(system.ok(["restart", "-t", "0", "temp"]), "temp");
    assert_eq!(system.state("temp"), "running");
    assert_ne!(system.inspect("temp")["status"]["startedDate"], first);
    eventually(LONG, "the output of this start alone", || {
        lines(&system, "temp") == 1
    });
    system.ok(["stop", "-t", "0", "temp"]);
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn policies_restart_what_ends_and_leave_alone_what_is_stopped() {
    let mut system = System::start();
    let failing = ["run", "-d", "--name", "failing", "--restart", "on-failure:2"];
    system.ok(failing
        .into_iter()
        .chain(["busybox", "sh", "-c", "echo try; exit 3"]));
    let always = ["run", "-d", "--name", "always", "--restart", "always"];
    let script = "echo up; while ! [ -e /end ]; do sleep 0.1; done; rm /end";
    system.ok(always.into_iter().chain(["busybox", "sh", "-c", script]));

    eventually(LONG, "two more tries", || lines(&system, "failing") == 3);
    system.ok(["exec", "always", "touch", "/end"]);
    eventually(LONG, "the second start", || lines(&system, "always") == 2);
    eventually(LONG, "it to run", || system.state("always") == "running");
    assert_eq!(system.ok(["wait", "failing"]), "3");
    assert_eq!(lines(&system, "failing"), 3, "it has given up");
    assert_eq!(system.ok(["logs", "failing"]), "try\ntry\ntry", "the log goes on");
    assert_eq!(
        system.inspect("failing")["configuration"]["restartPolicy"]["maximumRetries"],
        2
    );

    let unless = ["run", "-d", "--name", "unless", "--restart", "unless-stopped"];
    system.ok(unless.into_iter().chain(["busybox", "sleep", "1000"]));
    system.ok(["stop", "-t", "0", "unless"]);
    system.stop();
    system.boot();
    eventually(LONG, "it to start with the system", || {
        system.state("always") == "running"
    });
    assert_eq!(system.state("unless"), "stopped", "the user stopped it");
    // A stop lasts, however long one waits for a restart.
    system.ok(["stop", "-t", "0", "always"]);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(system.state("always"), "stopped");
}
