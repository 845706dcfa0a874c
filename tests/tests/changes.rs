//! Changing containers: `pause`, `unpause`, `rename`, `update`, `port`.

use std::time::Duration;

use container_tests::{System, eventually};

#[test]
fn a_paused_container_stands_still() {
    let system = System::start();
    let script = "trap 'echo term; exit 4' TERM; while :; do echo tick; sleep 0.1; done";
    system.ok(["run", "-d", "--name", "clock", "busybox", "sh", "-c", script]);
    let ticks = || system.run(["logs", "clock"]).stdout.lines().count();
    eventually(Duration::from_secs(20), "ticks", || ticks() > 2);
    assert_eq!(system.ok(["pause", "clock"]), "clock");
    assert_eq!(system.state("clock"), "paused");
    assert!(system.ok(["list"]).contains(" paused "), "it is listed");
    let before = ticks();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(ticks(), before);
    for refused in [
        vec!["pause", "clock"],
        vec!["start", "clock"],
        vec!["exec", "clock", "true"],
    ] {
        let refused = system.fails(refused);
        assert!(refused.stderr.contains("is paused"), "{refused:?}");
    }
    assert_eq!(system.ok(["unpause", "clock"]), "clock");
    eventually(Duration::from_secs(20), "more ticks", || ticks() > before);
    let again = system.fails(["unpause", "clock"]);
    assert!(
        again.stderr.contains("container clock is not paused"),
        "{again:?}"
    );
    // Its process can obey although it was paused.
    system.ok(["pause", "clock"]);
    assert_eq!(system.ok(["stop", "clock"]), "clock");
    assert_eq!(system.ok(["wait", "clock"]), "4");
}

#[test]
fn processes_are_listed_without_the_images_help() {
    let system = System::start();
    let script = "sleep 1001 & exec sleep 1002";
    system.ok(["run", "-d", "--name", "busy", "busybox", "sh", "-c", script]);
    system.ok(["exec", "-d", "-u", "42", "busy", "sleep", "1003"]);
    let list = || -> Vec<serde_json::Value> {
        serde_json::from_str(&system.ok(["top", "--format", "json", "busy"])).expect("JSON")
    };
    eventually(Duration::from_secs(20), "all three", || {
        let commands: Vec<_> = list().iter().map(|process| process["command"].clone()).collect();
        commands == ["sleep 1002", "sleep 1001", "sleep 1003"]
    });
    let processes = list();
    let numbers = |key: &str| -> Vec<u64> {
        processes
            .iter()
            .filter_map(|process| process[key].as_u64())
            .collect()
    };
    assert_eq!(numbers("pid")[..2], [1, 2]);
    assert_eq!(numbers("parentPid"), [0, 1, 0]);
    assert_eq!(numbers("uid"), [0, 0, 42]);
    assert!(processes[0]["memoryBytes"].as_u64() > Some(0), "{processes:?}");
    let table = system.ok(["top", "busy"]);
    assert!(table.starts_with("PID  PPID  UID  STATE"), "{table}");
    system.ok(["kill", "busy"]);
    let stopped = system.fails(["top", "busy"]);
    assert!(stopped.stderr.contains("container is stopped"), "{stopped:?}");
}

#[test]
fn names_labels_and_policies_change() {
    let mut system = System::start();
    system.ok([
        "create", "--name", "first", "--label", "a=1", "--label", "b=2", "busybox", "hostname",
    ]);
    system.ok(["create", "--name", "taken", "busybox"]);
    assert_eq!(system.ok(["rename", "first", "second"]), "second");
    assert_eq!(system.ok(["list", "-a", "-q"]), "second\ntaken");
    for (old, new, text) in [
        ("second", "taken", "container already exists: taken"),
        ("first", "third", "container with ID first not found"),
        ("second", "../x", "container ID ../x is not a valid container ID"),
    ] {
        let refused = system.fails(["rename", old, new]);
        assert!(refused.stderr.contains(text), "{refused:?}");
    }
    let update = [
        "update",
        "--label",
        "a=3",
        "--remove-label",
        "b",
        "--restart",
        "on-failure:5",
        "second",
    ];
    assert_eq!(system.ok(update), "second");
    let wrong = system.fails(["update", "--restart", "sometimes", "second"]);
    assert!(
        wrong.stderr.contains("invalid restart policy 'sometimes'"),
        "{wrong:?}"
    );
    assert_eq!(system.ok(["port", "second"]), "");
    let port = system.fails(["port", "second", "80"]);
    assert_eq!(
        port.stderr,
        "Error: container second does not publish port 80/tcp\n"
    );

    system.stop();
    system.boot();
    let configuration = &system.inspect("second")["configuration"];
    assert_eq!(configuration["labels"], serde_json::json!({ "a": "3" }));
    assert_eq!(configuration["restartPolicy"]["maximumRetries"], 5);
    assert_eq!(
        system.ok(["start", "-a", "second"]),
        "second",
        "the host name follows"
    );
    system.ok(["update", "--restart", "no", "second"]);
    assert_eq!(
        system.inspect("second")["configuration"].get("restartPolicy"),
        None
    );
}
