//! `system df`: what images, containers and volumes take, and what comes back.

use container_tests::System;
use serde_json::Value;

fn usage(system: &System, kind: &str, field: &str) -> u64 {
    let usage: Value = serde_json::from_str(&system.ok(["system", "df", "--format", "json"])).unwrap();
    usage[kind][field].as_u64().unwrap()
}

#[test]
fn sizes_are_what_comes_back() {
    let system = System::start();
    let containers = |field| usage(&system, "containers", field);
    assert_eq!((containers("total"), containers("sizeInBytes")), (0, 0));
    assert_eq!(usage(&system, "images", "active"), 1, "the init image");

    system.ok(["run", "-d", "--name", "one", "busybox", "sleep", "1000"]);
    assert_eq!((containers("total"), containers("active")), (1, 1));
    assert_eq!(usage(&system, "images", "active"), 2);
    assert_eq!(containers("reclaimable"), 0, "it runs");
    let before = containers("sizeInBytes");
    system.ok([
        "exec",
        "one",
        "sh",
        "-c",
        "dd if=/dev/urandom of=/file bs=1M count=8; sync",
    ]);
    assert!(containers("sizeInBytes") >= before + (8 << 20));

    system.ok(["stop", "-t", "0", "one"]);
    assert_eq!(containers("active"), 0);
    assert_eq!(containers("reclaimable"), containers("sizeInBytes"));
    let table = system.ok(["system", "df"]);
    let row = table.lines().find(|line| line.starts_with("Containers")).unwrap();
    assert!(row.ends_with("(100%)"), "{table}");

    system.ok(["delete", "one"]);
    assert_eq!((containers("total"), containers("sizeInBytes")), (0, 0));
    let images = usage(&system, "images", "sizeInBytes");
    let reclaimable = usage(&system, "images", "reclaimable");
    assert!(reclaimable > 0 && reclaimable <= images);
    system.ok(["image", "prune", "--all"]);
    assert!(usage(&system, "images", "sizeInBytes") <= images - reclaimable);
}
