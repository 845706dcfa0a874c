//! A virtual machine's memory grows with what the container touches and never shrinks before the stop.

use std::time::Duration;

use container_tests::{System, eventually};

/// Resident memory of a process in MiB.
fn resident(process: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

#[test]
fn memory_grows_and_is_not_reclaimed() {
    let system = System::start();
    let image = ["--memory", "600m", "--tmpfs", "/big", "busybox", "sleep", "1000"];
    system.ok(["run", "-d", "--name", "grower"].into_iter().chain(image));
    let machine = system.processes("qemu")[0];
    let idle = resident(machine);
    system.ok([
        "exec",
        "grower",
        "dd",
        "if=/dev/zero",
        "of=/big/file",
        "bs=1M",
        "count=300",
    ]);
    let grown = resident(machine);
    assert!(grown >= idle + 300, "{idle} MiB before, {grown} MiB after");
    // What the guest freed stays with the machine.
    system.ok(["exec", "grower", "sh", "-c", "rm /big/file; sync"]);
    std::thread::sleep(Duration::from_secs(2));
    let later = resident(machine);
    assert!(later + 10 >= grown, "{grown} MiB shrank to {later} MiB");
    system.ok(["stop", "-t", "0", "grower"]);
    eventually(
        Duration::from_secs(5),
        "the machine's memory to be given back",
        || resident(machine) == 0,
    );
}
