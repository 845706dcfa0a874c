//! What a virtual machine takes of its host: memory grows with what the container touches and never shrinks before the
//! stop, and processors are left alone while nothing happens.

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

/// Processor time that a process has taken.
fn processor_time(process: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name, in parentheses, may have blanks in it; user and system time are the 12th and 13th field behind it.
    let fields = stat[stat.rfind(')').unwrap() + 1..].split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn an_idle_machine_leaves_the_processors_alone() {
    let system = System::start();
    system.ok(["run", "-d", "--name", "idle", "busybox", "sleep", "1000"]);
    let machine = system.processes("qemu")[0];
    // What the boot left to do is done after a while; a loop that waits for nothing is never done.
    let span = Duration::from_secs(2);
    eventually(Duration::from_secs(30), "the machine to be idle", || {
        let before = processor_time(machine);
        std::thread::sleep(span);
        processor_time(machine) - before < span / 10
    });
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
