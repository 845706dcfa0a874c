//! Descriptors go both ways and none is left behind. One test, because it counts those of the process.
#![cfg(target_os = "linux")]

mod common;

use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use common::{Echo, Service, SwapFiles, Text};
use container_ipc::{Call, ErrorCode, MAX_DESCRIPTORS};

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn file(content: &str) -> OwnedFd {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file.into()
}

fn content(fd: OwnedFd) -> String {
    let mut file = std::fs::File::from(fd);
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_go_both_ways_and_none_is_lost() {
    let service = Service::start();
    let client = service.client().await;
    client.call::<SwapFiles>(()).await.unwrap();
    let before = open_files();

    for count in [1, 2, MAX_DESCRIPTORS] {
        let fds = (0..count).map(|n| file(&n.to_string())).collect();
        let reply = client
            .call_with::<SwapFiles>(
                (),
                Call {
                    fds,
                    ..Call::default()
                },
            )
            .await
            .unwrap();
        assert_eq!(reply.value, count);
        for fd in &reply.fds {
            let flags = rustix::io::fcntl_getfd(fd.as_fd()).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        let contents: Vec<String> = reply.fds.into_iter().map(content).collect();
        let expected: Vec<String> = (0..count).rev().map(|n| n.to_string()).collect();
        assert_eq!(contents, expected);
    }

    let fds = (0..=MAX_DESCRIPTORS).map(|n| file(&n.to_string())).collect();
    let error = client
        .call_with::<SwapFiles>(
            (),
            Call {
                fds,
                ..Call::default()
            },
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);

    // Many at once, between messages without any: each call gets its own.
    let calls: Vec<_> = (0..64)
        .map(|n: u64| {
            let client = client.clone();
            tokio::spawn(async move {
                let text = Text {
                    text: "x".repeat(100_000),
                    number: n,
                };
                client.call::<Echo>(text).await.unwrap();
                let fds = vec![file(&format!("a{n}")), file(&format!("b{n}"))];
                let reply = client
                    .call_with::<SwapFiles>(
                        (),
                        Call {
                            fds,
                            ..Call::default()
                        },
                    )
                    .await
                    .unwrap();
                let contents: Vec<String> = reply.fds.into_iter().map(content).collect();
                assert_eq!(contents, [format!("b{n}"), format!("a{n}")]);
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }

    // Descriptors for a route that ignores them, and for calls that nobody waits for.
    for _ in 0..50 {
        let text = Text {
            text: String::new(),
            number: 0,
        };
        let call = Call {
            fds: vec![file("unused")],
            ..Call::default()
        };
        client.call_with::<Echo>(text, call).await.unwrap();
        let call = Call {
            fds: vec![file("dropped")],
            deadline: Some(Some(Duration::ZERO)),
            ..Call::default()
        };
        let _ = client.call_with::<SwapFiles>((), call).await;
    }
    for _ in 0..20 {
        service.client().await.call::<SwapFiles>(()).await.unwrap();
    }

    let deadline = Instant::now() + common::SOON;
    while open_files() > before && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(open_files(), before);
}
