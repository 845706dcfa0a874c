//! What happens when something dies: nothing hangs, nothing is left over, and how it ended is told honestly.

use std::process::Stdio;
use std::time::{Duration, Instant};

use container_tests::{System, eventually, signal, wait_at_most};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long the system may take to notice a death.
const NOTICE: Duration = Duration::from_secs(5);

fn running(system: &System, id: &str) {
    system.ok(["run", "-d", "--name", id, "busybox", "sleep", "1000"]);
}

fn one(processes: &[i32]) -> i32 {
    assert_eq!(processes.len(), 1, "{processes:?}");
    processes[0]
}

#[test]
fn a_killed_virtual_machine_stops_its_container() {
    let system = System::start();
    running(&system, "victim");
    signal("KILL", one(&system.processes("qemu")));
    eventually(NOTICE, "the container to be stopped", || {
        system.state("victim") == "stopped"
    });
    eventually(NOTICE, "the helper to end", || {
        system.processes("container-runtime-linux").is_empty()
    });
    // Its disk survived: it can run again.
    system.ok(["start", "victim"]);
    assert_eq!(system.state("victim"), "running");
}

#[test]
fn a_killed_helper_takes_its_machine_along() {
    let system = System::start();
    running(&system, "victim");
    running(&system, "bystander");
    let helpers = system.processes("victim");
    signal(
        "KILL",
        *helpers
            .iter()
            .find(|id| system.processes("container-runtime-linux").contains(id))
            .expect("a helper"),
    );
    eventually(NOTICE, "the container to be stopped", || {
        system.state("victim") == "stopped"
    });
    eventually(NOTICE, "the machine to end", || {
        system.processes("qemu").len() == 1
    });
    assert_eq!(system.state("bystander"), "running");
    assert_eq!(system.ok(["exec", "bystander", "echo", "alive"]), "alive");
}

#[test]
fn containers_outlive_a_killed_apiserver_and_are_adopted() {
    let mut system = System::start();
    running(&system, "survivor");
    let machine = system.processes("qemu");
    signal("KILL", one(&system.processes("container-apiserver")));
    eventually(NOTICE, "the apiserver to be gone", || {
        system.processes("container-apiserver").is_empty()
    });
    system.boot();
    eventually(NOTICE, "the container to be adopted", || {
        system.state("survivor") == "running"
    });
    assert_eq!(system.processes("qemu"), machine);
    assert_eq!(
        system.ok(["exec", "survivor", "echo", "still here"]),
        "still here"
    );
    system.ok(["stop", "-t", "0", "survivor"]);
    assert_eq!(system.state("survivor"), "stopped");
}

#[test]
fn a_machine_whose_process_nobody_starts_ends() {
    let system = System::start();
    let mut run = system
        .command(["run", "--rm", "--name", "orphan", "busybox", "sleep", "1000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("container run");
    let command = i32::try_from(run.id()).expect("a process id");
    let booting = || {
        let machines = system.processes("qemu");
        !machines.is_empty()
    };
    eventually(NOTICE, "the machine", booting);
    // It boots on without the command, which does not get to start the process any more.
    signal("STOP", command);
    eventually(Duration::from_secs(60), "the end of the boot", || {
        system.state("orphan") == "running"
    });
    signal("KILL", command);
    assert_eq!(wait_at_most(&mut run, NOTICE), 128 + 9);
    assert_eq!(system.inspect("orphan")["status"]["startedDate"], Value::Null);
    // It is given up after a minute.
    eventually(Duration::from_secs(80), "the end of the machine", || {
        system.processes("qemu").is_empty()
    });
    eventually(NOTICE, "its deletion", || {
        system.ok(["list", "-a", "-q"]).is_empty()
    });
}

/// A kernel that measures its timer while the host does not run it goes on without one.
#[test]
fn a_host_that_stalls_while_a_machine_boots_costs_it_nothing_but_time() {
    let system = System::start();
    let mut run = system
        .command(["run", "--rm", "--progress", "none", "busybox", "sleep", "0.1"])
        .spawn()
        .expect("container run");
    let mut machine = None;
    eventually(NOTICE, "the machine", || {
        machine = system.processes("qemu").first().copied();
        machine.is_some()
    });
    let machine = Pid::from_raw(machine.expect("just checked")).expect("a process id");
    // What is measured takes a tenth of a second.
    let (going, stalled) = (Duration::from_millis(3), Duration::from_millis(120));
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end && kill_process(machine, Signal::STOP).is_ok() {
        std::thread::sleep(stalled);
        let _ = kill_process(machine, Signal::CONT);
        std::thread::sleep(going);
    }
    assert_eq!(wait_at_most(&mut run, Duration::from_secs(60)), 0);
}

#[test]
fn a_guest_panic_ends_the_container() {
    let system = System::start();
    // A container whose `/proc/sys` is writable can have its kernel panic when memory runs out.
    let script = "echo 2 > /proc/sys/vm/panic_on_oom && tail /dev/zero";
    let mut run = system
        .command([
            "run",
            "--rm",
            "--memory",
            "200m",
            "--read-only-path",
            "NONE",
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .spawn()
        .expect("container run");
    let code = wait_at_most(&mut run, Duration::from_secs(60));
    assert_eq!(code, 255);
    eventually(NOTICE, "the machine to end", || {
        system.processes("qemu").is_empty()
    });
}

#[test]
fn kill_and_forced_delete_end_a_frozen_machine() {
    let system = System::start();
    running(&system, "frozen");
    signal("STOP", one(&system.processes("qemu")));
    let start = Instant::now();
    system.ok(["kill", "frozen"]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(system.state("frozen"), "stopped");
    system.ok(["start", "frozen"]);
    for process in system.processes("frozen") {
        signal("STOP", process);
    }
    let start = Instant::now();
    system.ok(["delete", "--force", "frozen"]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    eventually(NOTICE, "everything to be gone", || {
        system.processes("frozen").is_empty()
    });
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

#[test]
fn a_corrupt_archive_leaves_nothing_behind() {
    let system = System::start();
    let archive = std::fs::read(container_tests::artifact("CONTAINER_TEST_BUSYBOX")).expect("the archive");
    let path = system.home().join("bad.tar");
    let blobs = || {
        std::fs::read_dir(system.app_root().join("content/blobs/sha256"))
            .expect("blobs")
            .count()
    };
    let before = blobs();
    let mut corrupt = archive.clone();
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 4096].fill(0xa5);
    for bytes in [&archive[..archive.len() / 2], &corrupt[..], b"not an archive"] {
        std::fs::write(&path, bytes).expect("a scratch file");
        let failed = system.fails(["image", "load", "-i", path.to_str().expect("UTF-8")]);
        assert_eq!(failed.code, 1, "{failed:?}");
        assert_eq!(failed.stderr.lines().count(), 1, "{failed:?}");
        assert_eq!(blobs(), before);
    }
    assert_eq!(system.ok(["run", "--rm", "busybox", "echo", "fine"]), "fine");
}

#[test]
fn missing_parts_are_named() {
    let mut system = System::unstarted();
    let down = system.fails(["list"]);
    assert_eq!(down.code, 1);
    assert!(
        down.stderr
            .contains("Ensure container system service has been started with `container system start`."),
        "{down:?}"
    );
    system.boot();
    let image = container_tests::artifact("CONTAINER_TEST_BUSYBOX");
    system.ok(["image", "load", "-i", image.to_str().expect("UTF-8")]);
    let kernel = system.fails(["run", "--rm", "busybox", "true"]);
    assert!(
        kernel
            .stderr
            .contains("default kernel not configured for architecture"),
        "{kernel:?}"
    );
    let image = system.fails(["run", "--rm", "127.0.0.1:1/none", "true"]);
    assert_eq!(image.code, 1, "{image:?}");
    assert!(image.stderr.contains("127.0.0.1:1"), "{image:?}");
    assert_eq!(system.ok(["list", "-a", "-q"]), "");
}

/// A small file system mounted below a scratch home, gone when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    /// `None` where this user may not mount.
    fn mount(path: std::path::PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("the mount point");
        let option = format!("size={size}");
        let mounted = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "tmpfs"])
            .arg(&path)
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing_half_written() {
    let mut system = System::unstarted();
    let Some(disk) = SmallDisk::mount(system.home().join(".local"), "3200k") else {
        eprintln!("SKIPPED: mounting a small disk needs root");
        return;
    };
    system.boot();
    let kernel = container_tests::artifact("CONTAINER_TEST_KERNEL");
    let image = container_tests::artifact("CONTAINER_TEST_INIT_IMAGE");
    let commands = [
        vec![
            "system",
            "kernel",
            "set",
            "--binary",
            kernel.to_str().expect("UTF-8"),
        ],
        vec!["image", "load", "-i", image.to_str().expect("UTF-8")],
    ];
    for command in commands {
        let failed = system.fails(&command);
        assert_eq!((failed.code, failed.stderr.lines().count()), (1, 1), "{failed:?}");
        assert!(failed.stderr.contains("No space left on device"), "{failed:?}");
    }
    let left = |path: &str| std::fs::read_dir(system.app_root().join(path)).map_or(0, Iterator::count);
    assert_eq!(
        (left("kernels"), left("content/ingest"), left("snapshots/ingest")),
        (0, 0, 0)
    );
    system.stop();
    drop(disk);
}
