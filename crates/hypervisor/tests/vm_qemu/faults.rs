//! How machines end, and what is said when they cannot begin.

use std::fs;
use std::time::{Duration, Instant};

use crate::bench::{Bench, boot, command, create, kernel, qemu_children, soon};
use container_hypervisor::{AGENT_PORT, Architecture, Disk, Error, ExitReason, Hypervisor, platform};
use tokio::io::AsyncReadExt;

fn creation_error(config: container_hypervisor::VmConfig) -> Error {
    match platform::Hypervisor::new().create(config) {
        Ok(_) => panic!("the machine was made"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_guest_that_powers_off() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let _connection = command(&*machine, "poweroff").await;
    assert_eq!(soon(machine.wait()).await, ExitReason::GuestShutdown);
    assert_eq!(soon(machine.wait()).await, ExitReason::GuestShutdown);
    assert!(matches!(
        machine.pause().await,
        Err(Error::Exited(ExitReason::GuestShutdown))
    ));
    assert!(matches!(machine.memory_in_use(), Err(Error::Exited(_))));
    machine.stop().await.unwrap();
    assert!(qemu_children().is_empty());
}

#[tokio::test]
async fn a_guest_that_restarts_ends() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let _connection = command(&*machine, "reboot").await;
    assert_eq!(soon(machine.wait()).await, ExitReason::GuestReset);
}

#[tokio::test]
async fn a_guest_that_panics_says_why() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let mut connection = command(&*machine, "panic").await;
    let reason = soon(machine.wait()).await;
    let ExitReason::GuestPanic { message, boot_log } = &reason else {
        panic!("{reason}")
    };
    assert!(
        message.starts_with("Attempted to kill init! exitcode=0x00000300"),
        "{message}"
    );
    assert!(
        boot_log.contains("Kernel panic") && boot_log.contains("Call Trace"),
        "{boot_log}"
    );
    assert!(soon(connection.read_u8()).await.is_err());
    assert!(!reason.is_orderly());
}

#[tokio::test]
async fn a_kernel_without_a_root_panics_while_somebody_waits_for_the_agent() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.disks = vec![Disk::read_only(bench.image("empty", 1 << 20), "init")];
    let machine = boot(config).await;
    let error = soon(machine.connect(AGENT_PORT)).await.err().unwrap();
    assert!(
        matches!(error, Error::Exited(ExitReason::GuestPanic { .. })),
        "{error}"
    );
    assert!(
        error.to_string().contains("VFS: Unable to mount root fs"),
        "{error}"
    );
}

#[tokio::test]
async fn a_guest_whose_agent_never_answers() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.kernel_args.push("test.silent".to_owned());
    config.boot_timeout = Duration::from_secs(12);
    let machine = boot(config).await;
    let begun = Instant::now();
    let error = soon(machine.connect(AGENT_PORT)).await.err().unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(9));
    let text = error.to_string();
    assert!(
        text.starts_with("the guest did not answer on port 1024 within 1"),
        "{text}"
    );
    assert!(
        text.contains("last lines:") && text.contains("test guest: up"),
        "{text}"
    );
}

#[tokio::test]
async fn a_killed_qemu() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let mut connection = command(&*machine, "echo").await;
    let pid = rustix::process::Pid::from_raw(qemu_children()[0].cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(soon(machine.wait()).await, ExitReason::Killed { signal: 9 });
    assert!(soon(connection.read_u8()).await.is_err());
}

#[tokio::test]
async fn killing_works_at_any_time() {
    let bench = Bench::new();
    let machine = create(bench.config());
    assert!(matches!(
        machine.connect(AGENT_PORT).await,
        Err(Error::NotStarted)
    ));
    assert!(matches!(machine.stop().await, Err(Error::NotStarted)));
    machine.start().await.unwrap();
    assert!(matches!(machine.start().await, Err(Error::AlreadyStarted)));
    let (error, ()) = tokio::join!(machine.connect(AGENT_PORT), async { machine.kill() });
    assert!(matches!(error.err(), Some(Error::Exited(ExitReason::Stopped))));
    assert!(qemu_children().is_empty());

    let machine = create(bench.config());
    machine.kill();
    machine.start().await.unwrap();
    assert_eq!(soon(machine.wait()).await, ExitReason::Stopped);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing() {
    let bench = Bench::new();
    let machine = create(bench.config());
    drop(tokio::time::timeout(Duration::from_millis(1), machine.start()).await);
    drop(machine);
    let begun = Instant::now();
    while !qemu_children().is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "QEMU outlives its machine"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_qemu_that_gives_up_at_once_says_why() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.kernel = bench.path("garbage");
    fs::write(&config.kernel, vec![0x5a; 4096]).unwrap();
    let machine = create(config);
    let error = soon(machine.start()).await.err().unwrap();
    assert!(
        matches!(&error, Error::Exited(ExitReason::Failed { message }) if message.contains("qemu")),
        "{error}"
    );
}

#[test]
fn missing_files_are_named() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.kernel = "/nonexistent/vmlinux".into();
    assert_eq!(creation_error(config).to_string(), "kernel /nonexistent/vmlinux");

    let mut config = bench.config();
    config.kernel = bench.directory.path().into();
    assert!(matches!(creation_error(config), Error::Kernel { .. }));

    let mut config = bench.config();
    config.disks.push(Disk::writable("/nonexistent/disk", "x"));
    assert_eq!(creation_error(config).to_string(), "disk image /nonexistent/disk");

    let mut config = bench.config();
    config.disks.push(Disk::read_only(bench.image("empty", 0), "x"));
    assert!(matches!(creation_error(config), Error::Disk { .. }));

    let mut config = bench.config();
    config.console_log = "/nonexistent/boot.log".into();
    assert_eq!(
        creation_error(config).to_string(),
        "boot log /nonexistent/boot.log"
    );
}

#[test]
fn impossible_machines_are_refused() {
    type Change = fn(&mut container_hypervisor::VmConfig);
    let changes: [(Change, &str); 5] = [
        (|config| config.cpus = 0, "no processors"),
        (|config| config.memory = 0, "no memory"),
        (|config| config.disks.clear(), "no disk to boot from"),
        (
            |config| config.disks = vec![config.disks[0].clone(); 23],
            "more than 22 disks and network interfaces",
        ),
        (
            |config| config.disks[0].serial = "x".repeat(21),
            "longer than 20 bytes",
        ),
    ];
    for (change, problem) in changes {
        let bench = Bench::new();
        let mut config = bench.config();
        change(&mut config);
        let error = creation_error(config).to_string();
        assert!(
            error.starts_with("invalid virtual machine configuration: ") && error.contains(problem),
            "{error}"
        );
    }
    if !platform::Hypervisor::new().capabilities().nested_virtualization {
        let mut config = Bench::new().config();
        config.nested_virtualization = true;
        assert_eq!(
            creation_error(config).to_string(),
            "nested virtualization is not supported on the platform"
        );
    }
}

#[test]
fn a_missing_qemu_names_its_package() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.architecture = Architecture::Aarch64;
    // Nextest runs every test in a process of its own.
    // SAFETY: no other thread of this process reads the environment meanwhile.
    unsafe { std::env::set_var("PATH", "/nonexistent") };
    let error = creation_error(config).to_string();
    assert_eq!(
        error,
        "qemu-system-aarch64 not found: install the package qemu-system-arm"
    );
    assert!(kernel().exists());
}
