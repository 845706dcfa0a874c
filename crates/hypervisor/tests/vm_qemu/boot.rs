//! What a machine is and does while it runs.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

use crate::bench::{Bench, ask, boot, command, create, qemu_children, soon};
use crate::wire::wire;
use container_hypervisor::{Disk, Error, ExitReason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn the_guest_has_the_devices_in_the_order_of_the_configuration() {
    let bench = Bench::new();
    let mut config = bench.config();
    config.cpus = 2;
    config.kernel_args = vec!["test.word=1".to_owned()];
    config
        .disks
        .push(Disk::read_only(bench.image("image", 64 << 20), "image"));
    config
        .disks
        .push(Disk::writable(bench.image("scratch", 512 << 30), "scratch"));
    config.disks.push(Disk::writable(
        bench.image("volume", 8 << 20),
        "volume,readonly=on",
    ));
    config.nics = vec![wire(0x11).0, wire(0x22).0];
    let machine = boot(config).await;
    let report = ask(&*machine, "report").await;
    let report: HashMap<_, _> = report.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(report["vda"].split(' ').next(), Some("init"));
    assert_eq!(report["vda"].split(' ').nth(2), Some("1"), "{}", report["vda"]);
    assert!(report["vdb"].starts_with("image 131072 1 "), "{}", report["vdb"]);
    assert_eq!(report["vdc"], "scratch 1073741824 0 true");
    assert_eq!(report["vdd"], "volume,readonly=on 16384 0 true");
    assert_eq!(
        (report["eth0"], report["eth1"]),
        ("02:00:00:00:00:11", "02:00:00:00:00:22")
    );
    assert_eq!(report["cpus"], "2");
    assert!(
        report["entropy"].starts_with("virtio_rng"),
        "{}",
        report["entropy"]
    );
    assert!(
        report["cmdline"].contains(" test.word=1 oops=panic "),
        "{}",
        report["cmdline"]
    );
    assert!(
        bench.boot_log().contains("test guest: up after"),
        "{}",
        bench.boot_log()
    );
    machine.stop().await.unwrap();
    assert_eq!(machine.wait().await, ExitReason::Stopped);
    assert!(qemu_children().is_empty());
}

#[tokio::test]
async fn what_the_guest_flushes_is_in_the_file_and_read_only_disks_stay_as_they_are() {
    let bench = Bench::new();
    let mut config = bench.config();
    let (image, scratch) = (bench.image("image", 8 << 20), bench.image("scratch", 1 << 30));
    config.disks.push(Disk::read_only(&image, "image"));
    config.disks.push(Disk::writable(&scratch, "scratch"));
    let machine = boot(config).await;
    assert!(ask(&*machine, "write vdb").await.starts_with("failed"));
    assert_eq!(ask(&*machine, "write vdc").await, "written");
    machine.kill();
    assert_eq!(soon(machine.wait()).await, ExitReason::Stopped);
    let mut written = vec![0; 1 << 20];
    fs::File::open(&scratch)
        .unwrap()
        .read_exact_at(&mut written, 4096)
        .unwrap();
    assert!(
        written
            .iter()
            .zip(0_u32..)
            .all(|(byte, at)| *byte == ((at * 7) >> 4) as u8)
    );
    assert!(
        fs::metadata(&scratch).unwrap().blocks() < 8192,
        "the scratch disk stays sparse"
    );
    assert_eq!(fs::metadata(&image).unwrap().blocks(), 0);
}

#[tokio::test]
async fn machines_share_a_read_only_disk_and_boot_side_by_side() {
    let benches: Vec<_> = (0..4).map(|_| Bench::new()).collect();
    let mut machines = Vec::new();
    for bench in &benches {
        machines.push(boot(bench.config()).await);
    }
    assert_eq!(qemu_children().len(), 4);
    for machine in &machines {
        assert!(ask(&**machine, "report").await.contains("vda=init"));
    }
    drop(machines);
    let begun = Instant::now();
    while !qemu_children().is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "QEMU outlives its machine"
        );
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn streams_in_both_directions() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let mut echo = command(&*machine, "echo").await;
    echo.write_all(b"to and fro").await.unwrap();
    echo.shutdown().await.unwrap();
    let mut text = String::new();
    soon(echo.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "to and fro");

    let mut listener = machine.listen(0x1000_0000).unwrap();
    assert!(matches!(
        machine.listen(0x1000_0000),
        Err(Error::Port {
            port: 0x1000_0000,
            ..
        })
    ));
    ask(&*machine, "call 268435456").await;
    let mut call = soon(listener.accept()).await.unwrap();
    let mut text = String::new();
    soon(call.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello from the guest");

    machine.kill();
    assert!(matches!(
        soon(listener.accept()).await,
        Err(Error::Exited(ExitReason::Stopped))
    ));
    assert!(matches!(
        machine.connect(1024).await,
        Err(Error::Exited(ExitReason::Stopped))
    ));
}

#[tokio::test]
async fn bulk_data_goes_both_ways_at_once() {
    const AMOUNT: usize = 64 << 20;
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let mut source = command(&*machine, &format!("source {AMOUNT}")).await;
    let mut sink = command(&*machine, "sink").await;
    let begun = Instant::now();
    let received = tokio::spawn(async move {
        let mut all = Vec::with_capacity(AMOUNT);
        source.read_to_end(&mut all).await.unwrap();
        (all, begun.elapsed())
    });
    let block = vec![1; 1 << 20];
    for _ in 0..AMOUNT / block.len() {
        sink.write_all(&block).await.unwrap();
    }
    sink.shutdown().await.unwrap();
    let mut answer = String::new();
    soon(sink.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, AMOUNT.to_string());
    let rate = |elapsed: Duration| AMOUNT as f64 / elapsed.as_secs_f64() / 1e6;
    println!("host to guest {:.0} MB/s", rate(begun.elapsed()));
    let (all, elapsed) = soon(received).await.unwrap();
    assert!(all.len() == AMOUNT && all.iter().all(|byte| *byte == 0x5a));
    println!("guest to host {:.0} MB/s", rate(elapsed));
}

#[tokio::test]
async fn a_paused_guest_does_nothing() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let mut echo = command(&*machine, "echo").await;
    machine.pause().await.unwrap();
    echo.write_all(b"x").await.unwrap();
    let mut answer = [0; 1];
    let silent = tokio::time::timeout(Duration::from_millis(300), echo.read_exact(&mut answer)).await;
    assert!(silent.is_err(), "a paused guest answers");
    machine.resume().await.unwrap();
    soon(echo.read_exact(&mut answer)).await.unwrap();
    machine.pause().await.unwrap();
    machine.stop().await.unwrap();
}

#[tokio::test]
async fn memory_grows_with_use_and_is_not_taken_back() {
    const AMOUNT: u64 = 100 << 20;
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let before = {
        ask(&*machine, "report").await;
        machine.memory_in_use().unwrap()
    };
    assert!(before < 200 << 20, "{before} bytes before anything happened");
    let mut touch = command(&*machine, &format!("touch {AMOUNT}")).await;
    soon(touch.read_exact(&mut [0; 7])).await.unwrap();
    let during = machine.memory_in_use().unwrap();
    assert!(
        during >= before + AMOUNT * 9 / 10,
        "{before} bytes grew to {during}"
    );
    drop(touch);
    ask(&*machine, "report").await;
    let after = machine.memory_in_use().unwrap();
    assert!(
        after >= before + AMOUNT * 9 / 10,
        "{during} bytes shrank to {after}"
    );
}

#[tokio::test]
async fn an_interface_reaches_what_is_behind_its_tap_device() {
    let (nic, server) = wire(1);
    let port = server.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        client.write_all(b"served by the host").unwrap();
    });
    let bench = Bench::new();
    let mut config = bench.config();
    config.nics.push(nic);
    let machine = boot(config).await;
    assert_eq!(
        ask(&*machine, &format!("fetch {port}")).await,
        "served by the host"
    );
    serving.join().unwrap();
}

#[tokio::test]
async fn qemu_has_no_rights() {
    let bench = Bench::new();
    let machine = boot(bench.config()).await;
    let pid = qemu_children()[0];
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let status = read("status");
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once(':')
            .unwrap()
            .1
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(field("NoNewPrivs"), ["1"]);
    assert_eq!(field("Seccomp"), ["2"]);
    if rustix::process::geteuid().is_root() {
        let id = (0x7000_0000 + pid).to_string();
        assert_eq!(field("Uid"), vec![id.clone(); 4]);
        assert_eq!(field("Gid"), vec![id; 4]);
        assert!(field("Groups").is_empty());
        assert_eq!(field("CapEff"), ["0000000000000000"]);
    }
    assert!(read("limits").lines().any(|line| {
        line.starts_with("Max core file size") && line.split_whitespace().nth(4) == Some("0")
    }));
    assert_eq!(read("environ"), "");
    assert_eq!(field("NSpgid"), [pid.to_string()]);
    machine.stop().await.unwrap();
}

#[tokio::test]
async fn a_kernel_that_only_its_owner_may_read_boots_too() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let mut config = bench.config();
    let kernel = bench.path("vmlinux");
    fs::copy(&config.kernel, &kernel).unwrap();
    fs::set_permissions(&kernel, fs::Permissions::from_mode(0o600)).unwrap();
    config.kernel = kernel;
    let machine = create(config);
    machine.start().await.unwrap();
    assert!(ask(&*machine, "report").await.contains("vda=init"));
}
