//! What only a virtual machine has.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use container_sandbox::proto;
use proto::filesystem_operation_request::Operation;
use serde_json::json;

use crate::support::session::{Streams, text};
use crate::support::{self, ID, ROOT, soon};

#[tokio::test]
async fn init_mode() {
    let guest = &support::machine::start().await;
    let mut spec = guest.spec(&[
        "/.cz-init",
        "--",
        "sh",
        "-c",
        "echo $$; exec sh -c 'kill -TERM $$; sleep 9'",
    ]);
    let mount = json!({ "destination": "/.cz-init", "type": "bind", "source": "/sbin/vminitd", "options": ["bind", "ro"] });
    spec["mounts"].as_array_mut().unwrap().push(mount);
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    assert_eq!(
        (outcome.status, outcome.stdout.as_str()),
        (128 + libc::SIGTERM, "2\n"),
        "{outcome:?}"
    );

    // Signals get through, and orphans do not stay.
    let script = "trap 'ps -o stat,args | grep -c ^Z; exit 9' TERM; sh -c 'sleep 0.01 & exit'; echo up; \
                  while :; do sleep 0.05; done";
    spec["process"]["args"] = json!(["/.cz-init", "--", "sh", "-c", script]);
    let mut session = guest.create(ID, &spec, Streams::Output).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let mut stdout = session.stdout.take().unwrap();
    let mut up = [0; 3];
    soon(tokio::io::AsyncReadExt::read_exact(&mut stdout, &mut up))
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    guest.kill(ID, libc::SIGTERM).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 9);
    assert_eq!(text(Some(stdout)).await, "0\n");
    guest.delete(ID).await.unwrap();

    spec["process"]["args"] = json!(["/.cz-init", "--", "no-such-program"]);
    let outcome = guest.run(ID, &spec, None).await.unwrap();
    assert_eq!(outcome.status, 127);
}

#[tokio::test]
async fn limits_and_statistics() {
    let guest = &support::machine::start().await;
    let mut spec = guest.spec(&[
        "sh",
        "-c",
        "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max; echo; exec sleep 1000",
    ]);
    spec["linux"]["resources"] = json!({
        "memory": { "limit": 200 << 20 },
        "cpu": { "quota": 150_000, "period": 100_000 },
    });
    let mut session = guest.create(ID, &spec, Streams::Output).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let mut said = [0; 25];
    let mut stdout = session.stdout.take().unwrap();
    soon(tokio::io::AsyncReadExt::read_exact(&mut stdout, &mut said))
        .await
        .unwrap();
    assert_eq!(
        std::str::from_utf8(&said).unwrap(),
        "209715200\n150000 100000\n\n"
    );

    let statistics = async |categories: Vec<i32>| {
        let request = proto::ContainerStatisticsRequest {
            container_ids: vec![ID.into()],
            categories,
        };
        soon(guest.agent.container_statistics(request))
            .await
            .unwrap()
            .containers
            .remove(0)
    };
    let all = statistics(vec![]).await;
    assert_eq!(all.process.unwrap().current, 1);
    let memory = all.memory.unwrap();
    assert_eq!(memory.limit_bytes, 200 << 20);
    assert!((100_000..50 << 20).contains(&memory.usage_bytes), "{memory:?}");
    assert!(all.cpu.unwrap().usage_usec > 0);
    assert!(all.block_io.is_some() && all.memory_events.is_some());
    assert_eq!(all.networks[0].interface, "eth0");
    let one = statistics(vec![proto::StatCategory::Process.into()]).await;
    assert!(one.process.is_some() && one.memory.is_none() && one.networks.is_empty());

    // More memory than the limit ends a process.
    let outcome = guest
        .run(
            "hungry",
            &guest.spec(&["awk", "BEGIN { s = \"x\"; while (1) s = s s }"]),
            None,
        )
        .await;
    assert_eq!(outcome.unwrap().status, 137);
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.wait(ID).await.unwrap();
    guest.delete(ID).await.unwrap();
}

#[tokio::test]
async fn clock() {
    let guest = &support::machine::start().await;
    let request = proto::SetTimeRequest {
        sec: 1_700_000_000,
        usec: 0,
    };
    soon(guest.agent.set_time(request)).await.unwrap();
    let now: u64 = guest.script("date +%s").await.trim().parse().unwrap();
    assert!((1_700_000_000..1_700_000_060).contains(&now), "{now}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let request = proto::SetTimeRequest {
        sec: now.as_secs().cast_signed(),
        usec: 0,
    };
    soon(guest.agent.set_time(request)).await.unwrap();
}

/// A container's program of another kind runs through an interpreter that the container does not see, as Rosetta is.
#[tokio::test]
async fn emulators() {
    let guest = &support::machine::start().await;
    let request = proto::SetupEmulatorRequest {
        binary_path: format!("{ROOT}/bin/busybox"),
        name: "foreign".to_owned(),
        r#type: "M".to_owned(),
        offset: "0".to_owned(),
        magic: r"\x7f\x46\x4f\x52\x00\x02".to_owned(),
        mask: r"\xff\xff\xff\xff\x00\xfe".to_owned(),
        flags: "CF".to_owned(),
    };
    soon(guest.agent.setup_emulator(request)).await.unwrap();
    let script = r"printf '\177FOR\007\003' >/foreign; chmod +x /foreign; /foreign 2>&1; echo $?";
    assert_eq!(guest.script(script).await, "foreign: applet not found\n127\n");
}

#[tokio::test]
async fn network() {
    let guest = &support::machine::start().await;
    let link = proto::IpLinkSetRequest {
        interface: "eth0".into(),
        up: true,
        mtu: Some(1400),
    };
    let address = proto::IpAddrAddRequest {
        interface: "eth0".into(),
        ipv4_address: "10.0.2.15/24".into(),
        ipv6_address: Some("fd00:1::15/64".into()),
    };
    let route = proto::IpRouteAddDefaultRequest {
        interface: "eth0".into(),
        ipv4_gateway: "10.0.2.2".into(),
        ipv6_gateway: Some("fd00:1::2".into()),
    };
    soon(guest.agent.ip_addr_add(address)).await.unwrap();
    soon(guest.agent.ip_link_set(link)).await.unwrap();
    soon(guest.agent.ip_route_add_default(route)).await.unwrap();
    let said = guest.script("ip addr show eth0; ip route; ip -6 route").await;
    for part in [
        "mtu 1400",
        "inet 10.0.2.15/24 brd 10.0.2.255",
        "inet6 fd00:1::15/64",
        "default via 10.0.2.2 dev eth0",
        "default via fd00:1::2 dev eth0",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The gateway answers.
    guest.script("ip neigh >/dev/null; echo >/dev/null").await;
}

#[tokio::test]
async fn file_system_operations() {
    let guest = &support::machine::start().await;
    let operate = async |operation| {
        let path = "/run/container/box/scratch".to_owned();
        let request = proto::FilesystemOperationRequest {
            path,
            operation: Some(operation),
        };
        soon(guest.agent.filesystem_operation(request)).await
    };
    let trimmed = operate(Operation::Trim(proto::FiTrimParams::default()))
        .await
        .unwrap();
    let Some(proto::filesystem_operation_response::Result::Trim(trimmed)) = trimmed.result else {
        panic!()
    };
    assert!(trimmed.trimmed_bytes > 100 << 20, "{trimmed:?}");
    operate(Operation::Freeze(proto::FiFreezeParams {}))
        .await
        .unwrap();
    let write = proto::WriteFileRequest {
        path: format!("{ROOT}/late"),
        flags: Some(proto::write_file_request::WriteFileFlags {
            create_if_missing: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut writing = tokio::spawn({
        let agent = guest.agent.clone();
        async move { agent.write_file(write).await }
    });
    tokio::time::timeout(Duration::from_millis(300), &mut writing)
        .await
        .expect_err("the file system is frozen");
    operate(Operation::Thaw(proto::FiThawParams {})).await.unwrap();
    soon(writing).await.unwrap().unwrap();
}

/// What a process costs, printed for whoever wants to know.
#[tokio::test]
async fn a_process_costs_little() {
    let guest = &support::machine::start().await;
    guest
        .create(ID, &guest.spec(&["sleep", "1000"]), Streams::None)
        .await
        .unwrap();
    let begun = Instant::now();
    guest.start_process(ID).await.unwrap();
    eprintln!("container: started in {:?}", begun.elapsed());
    let mut phases: [Vec<Duration>; 6] = Default::default();
    let spec = guest.spec(&["true"]);
    for n in 0..20 {
        let id = format!("p{n}");
        let mut begun = Instant::now();
        let mut lap = |phase: usize| {
            phases[phase].push(begun.elapsed());
            begun = Instant::now();
        };
        soon(guest.agent.sync(proto::SyncRequest {})).await.unwrap();
        lap(0);
        let mut session = guest.create(&id, &spec, Streams::Output).await.unwrap();
        lap(1);
        guest.start_process(&id).await.unwrap();
        lap(2);
        guest.wait(&id).await.unwrap();
        lap(3);
        text(session.stdout.take()).await;
        lap(4);
        guest.delete(&id).await.unwrap();
        lap(5);
    }
    for (name, spent) in ["one call", "create", "start", "wait", "read", "delete"]
        .iter()
        .zip(&mut phases)
    {
        spent.sort();
        eprintln!("{name}: median {:?}, best {:?}", spent[spent.len() / 2], spent[0]);
    }
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do busybox true; done";
    let begun = Instant::now();
    guest
        .run("loop", &guest.spec(&["sh", "-c", script]), None)
        .await
        .unwrap();
    eprintln!("fork and exec in the guest: about {:?}", begun.elapsed() / 20);
    assert!(phases[2][0] < Duration::from_secs(1));
}
