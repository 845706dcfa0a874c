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
