//! The service without vmnet: who gets which address, and until when. On Linux, where a service needs no launchd.
#![cfg(target_os = "linux")]

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

/// Interfaces that say which one they are to the virtual machine, and are counted.
#[derive(Debug, Default)]
struct Counted {
    refuses: Arc<AtomicBool>,
    made: AtomicUsize,
    alive: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct One {
    alive: Arc<AtomicUsize>,
    _socket: UnixDatagram,
}

impl Interface for One {}

impl Drop for One {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Interfaces for Counted {
    fn make(&self, socket: OwnedFd) -> Result<Box<dyn Interface>, Error> {
        if self.refuses.swap(false, Ordering::SeqCst) {
            return Err(Error::Vmnet("start an interface", 1001));
        }
        let socket = UnixDatagram::from(socket);
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        socket.send(format!("interface {number}").as_bytes()).unwrap();
        self.alive.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(One {
            alive: Arc::clone(&self.alive),
            _socket: socket,
        }))
    }
}

/// What comes out of a virtual machine's end of a socket.
fn frame(machine: &UnixDatagram) -> String {
    let mut frame = [0; 64];
    machine.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let length = machine.recv(&mut frame).unwrap();
    String::from_utf8_lossy(&frame[..length]).into_owned()
}

async fn until_none_is_left(alive: &AtomicUsize) {
    let end = Instant::now() + Duration::from_secs(10);
    while alive.load(Ordering::SeqCst) > 0 {
        assert!(Instant::now() < end, "interfaces outlive their leases");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_keeps_its_socket_when_the_helper_is_another_process() {
    let bench = Bench::new();
    let (first, second) = (CancellationToken::new(), CancellationToken::new());
    let start = |stop: &CancellationToken, made| {
        let interfaces = Counted {
            made: AtomicUsize::new(made),
            ..Counted::default()
        };
        let alive = Arc::clone(&interfaces.alive);
        let service = Service::new(
            bench.settings("default"),
            Some(Box::new(interfaces)),
            stop.clone(),
        );
        let endpoint = Endpoint::new(&bench.run(), &services::network(PLUGIN, "default"));
        let listener = Listener::bind(&endpoint).unwrap();
        let served = tokio::spawn(serve(listener, router(&service), stop.clone()));
        (served, alive)
    };
    let (served, alive) = start(&first, 0);
    let client = bench.client().await;
    let lease = client.allocate(named("web")).await.unwrap();
    let machine = UnixDatagram::from(lease.device.unwrap());
    let kept = lease.helpers_end.unwrap();
    assert_eq!(frame(&machine), "interface 0");
    first.cancel();
    client.closed().await;
    served.await.unwrap();
    until_none_is_left(&alive).await;

    let (_served, alive) = start(&second, 7);
    let client = bench.client().await;
    let address = lease.attachment.ipv4_address.split('/').next().unwrap();
    let request = AllocateRequest {
        ipv4_address: Some(address.parse().unwrap()),
        mac_address: lease.attachment.mac_address.clone(),
        ..named("web")
    };
    let file = std::fs::File::open("/dev/null").unwrap().into();
    let error = client.resume(request.clone(), Some(file)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    let again = client.resume(request, Some(kept)).await.unwrap();
    assert_eq!(again.attachment, lease.attachment);
    assert!(again.device.is_none() && again.helpers_end.is_none());
    assert_eq!(frame(&machine), "interface 7");
    machine.send(b"still connected").unwrap();
    drop(client);
    until_none_is_left(&alive).await;
    second.cancel();
}

#[tokio::test]
async fn an_interface_lives_as_long_as_its_lease() {
    let bench = Bench::new();
    let interfaces = Box::<Counted>::default();
    let (alive, refuses) = (Arc::clone(&interfaces.alive), Arc::clone(&interfaces.refuses));
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
    assert_eq!(lease.attachment.mtu, Some(1280));
    assert_eq!(alive.load(Ordering::SeqCst), 1);

    // One that cannot be made gives its address back.
    let request = AllocateRequest {
        ipv4_address: Some([10, 1, 2, 9].into()),
        mtu: Some(1400),
        ..named("db")
    };
    refuses.store(true, Ordering::SeqCst);
    let error = client.allocate(request.clone()).await.unwrap_err();
    assert!(error.message.contains("status 1001"), "{error}");
    let large = AllocateRequest {
        mtu: Some(9000),
        ..request.clone()
    };
    let error = client.allocate(large).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    let lease = client.allocate(request).await.unwrap();
    assert_eq!(lease.attachment.ipv4_address, "10.1.2.9/24");
    assert_eq!(lease.attachment.mtu, Some(1400));

    drop(client);
    until_none_is_left(&alive).await;
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
