//! The service without vmnet: who gets which address, and until when. On Linux, where a service needs no launchd.
#![cfg(target_os = "linux")]

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use container_client::network::{AllocateRequest, NetworkClient};
use container_client::services;
use container_ipc::{Endpoint, ErrorCode, Listener, Router, serve};
use container_network_bridge::Settings;
use container_network_vmnet::{Error, Interface, Interfaces, Service, Shared, refusal, router};
use container_resource::NetworkMode;
use tokio_util::sync::CancellationToken;

const PLUGIN: &str = "container-network-vmnet";

/// A directory of an installation, in which a network is served.
struct Bench {
    directory: tempfile::TempDir,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("networks/default")).unwrap();
        Self {
            directory,
            stop: CancellationToken::new(),
        }
    }

    fn settings(&self, id: &str) -> Settings {
        let (v4, v6) = ("10.1.2.0/24", "fd00:1::/64");
        Settings::new(id, NetworkMode::Nat, v4, v6, Some("test"), self.directory.path()).unwrap()
    }

    fn run(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    fn serve(&self, router: Router) {
        let endpoint = Endpoint::new(&self.run(), &services::network(PLUGIN, "default"));
        tokio::spawn(serve(
            Listener::bind(&endpoint).unwrap(),
            router,
            self.stop.clone(),
        ));
    }

    async fn client(&self) -> NetworkClient {
        NetworkClient::connect(&self.run(), PLUGIN, "default")
            .await
            .unwrap()
    }
}

fn named(hostname: &str) -> AllocateRequest {
    AllocateRequest {
        hostname: hostname.to_owned(),
        ..AllocateRequest::default()
    }
}

#[tokio::test]
async fn the_shared_network_leases_its_second_half() {
    let bench = Bench::new();
    let mut settings = bench.settings("default");
    Shared::open(&mut settings).unwrap();
    bench.serve(router(&Service::new(settings, None, bench.stop.clone())));
    let client = bench.client().await;
    assert_eq!(client.status().await.unwrap().ipv4_subnet, "192.168.64.0/24");
    let lease = client.allocate(named("web.test.")).await.unwrap();
    assert!(lease.device.is_none());
    assert_eq!(lease.attachment.ipv4_address, "192.168.64.128/24");
    assert_eq!(lease.attachment.ipv4_gateway, "192.168.64.1");
    assert_eq!(lease.attachment.ipv6_address, None);
    let again = client.allocate(named("web.test.")).await.unwrap();
    assert_eq!(again.attachment, lease.attachment);
    let found = client.lookup("WEB").await.unwrap();
    assert_eq!(found, Some(lease.attachment));
    assert_eq!(client.lookup("db").await.unwrap(), None);

    // Another container waits for the name, and gets it when its owner goes.
    let other = bench.client().await;
    let error = other.allocate(named("web.test.")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Exists);
    let waiting = tokio::spawn(async move { other.allocate(named("web.test.")).await });
    drop(client);
    let lease = waiting.await.unwrap().unwrap();
    assert_eq!(lease.attachment.ipv4_address, "192.168.64.128/24");
    bench.client().await.shutdown().await.unwrap();
    assert!(bench.stop.is_cancelled());
}

/// Interfaces that are files, and are counted.
#[derive(Debug, Default)]
struct Counted(Arc<AtomicUsize>);

#[derive(Debug)]
struct One(Arc<AtomicUsize>);

impl Interface for One {}

impl Drop for One {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Interfaces for Counted {
    fn make(&self, mtu: Option<u32>) -> Result<(Option<OwnedFd>, Box<dyn Interface>), Error> {
        if mtu == Some(1) {
            return Err(Error::Vmnet("start an interface", 1001));
        }
        self.0.fetch_add(1, Ordering::SeqCst);
        let device = std::fs::File::open(Path::new("/dev/null")).unwrap();
        Ok((Some(device.into()), Box::new(One(Arc::clone(&self.0)))))
    }
}

#[tokio::test]
async fn an_interface_lives_as_long_as_its_lease() {
    let bench = Bench::new();
    let count = Arc::new(AtomicUsize::new(0));
    let interfaces = Box::new(Counted(Arc::clone(&count)));
    let settings = bench.settings("default");
    bench.serve(router(&Service::new(
        settings,
        Some(interfaces),
        bench.stop.clone(),
    )));
    let client = bench.client().await;
    let lease = client.allocate(named("web")).await.unwrap();
    assert!(lease.device.is_some() && lease.attachment.ipv6_address.is_some());
    assert_eq!(lease.attachment.ipv4_address, "10.1.2.2/24");
    assert_eq!(count.load(Ordering::SeqCst), 1);

    // One that cannot be made gives its address back.
    let refused = AllocateRequest {
        mtu: Some(1),
        ipv4_address: Some([10, 1, 2, 9].into()),
        ..named("db")
    };
    let error = client.allocate(refused.clone()).await.unwrap_err();
    assert!(error.message.contains("status 1001"), "{error}");
    let fine = AllocateRequest { mtu: None, ..refused };
    let lease = client.allocate(fine).await.unwrap();
    assert_eq!(lease.attachment.ipv4_address, "10.1.2.9/24");

    drop(client);
    let end = Instant::now() + Duration::from_secs(10);
    while count.load(Ordering::SeqCst) > 0 {
        assert!(Instant::now() < end, "interfaces outlive their leases");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_network_that_cannot_be_says_why() {
    let bench = Bench::new();
    let error = Shared::open(&mut bench.settings("backend")).unwrap_err();
    bench.serve(refusal(error, bench.stop.clone()));
    let error = bench.client().await.status().await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unsupported);
    assert!(
        error.message.contains("network backend needs macOS 26"),
        "{error}"
    );
}
