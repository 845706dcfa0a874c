//! The service killed in the middle of a download: the next one goes on where it was.

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

use support::{HOW, connect, noise, registry, run, skopeo_copy, start};

/// Bytes of the layer.
const SIZE: usize = 8 << 20;

/// Passes connections on to a registry, and back only as many bytes as it is allowed to.
struct Proxy {
    host: String,
    allowed: Arc<AtomicU64>,
    passed: Arc<AtomicU64>,
    changed: Arc<Notify>,
}

impl Proxy {
    async fn start(to: String, allowed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            host: listener.local_addr().unwrap().to_string(),
            allowed: Arc::new(AtomicU64::new(allowed)),
            passed: Arc::default(),
            changed: Arc::default(),
        };
        let (allowed, passed, changed) = (
            Arc::clone(&proxy.allowed),
            Arc::clone(&proxy.passed),
            Arc::clone(&proxy.changed),
        );
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&to).await.unwrap();
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_server, mut to_server) = server.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                let (allowed, passed, changed) =
                    (Arc::clone(&allowed), Arc::clone(&passed), Arc::clone(&changed));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 16 << 10];
                    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
                        loop {
                            let more = changed.notified();
                            if passed.load(Ordering::SeqCst) < allowed.load(Ordering::SeqCst) {
                                break;
                            }
                            more.await;
                        }
                        passed.fetch_add(count as u64, Ordering::SeqCst);
                        if to_client.write_all(&buffer[..count]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        proxy
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_download_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let (_registry, host) = registry(dir.path());
    let layout = dir.path().join("layout");
    let image = format!("{}:x", layout.display());
    run("umoci", &["init", "--layout", layout.to_str().unwrap()]);
    run("umoci", &["new", "--image", &image]);
    let file = dir.path().join("file");
    fs::write(&file, noise(3, SIZE)).unwrap();
    let arguments = ["insert", "--rootless", "--image", &image];
    run(
        "umoci",
        &[&arguments[..], &[file.to_str().unwrap(), "/file"]].concat(),
    );
    skopeo_copy(&format!("oci:{image}"), &format!("docker://{host}/app:1"));

    let proxy = Proxy::start(host, 3 << 20).await;
    let reference = format!("{}/app:1", proxy.host);
    let service = start(&root);
    let client = connect(&root).await;
    let name = reference.clone();
    let pulling = tokio::spawn(async move { client.pull(&name, None, &HOW, None).await });
    let partial = root.join("content/partial");
    let kept = || -> u64 {
        let entries = fs::read_dir(&partial).into_iter().flatten().flatten();
        entries.map(|entry| entry.metadata().map_or(0, |m| m.len())).sum()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while kept() < 2 << 20 {
        assert!(Instant::now() < deadline, "only {} bytes came", kept());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(service);
    assert!(pulling.await.unwrap().is_err());
    let (kept_bytes, passed) = (kept(), proxy.passed.load(Ordering::SeqCst));
    assert!(kept_bytes >= 2 << 20);

    proxy.allowed.store(u64::MAX, Ordering::SeqCst);
    proxy.changed.notify_waiters();
    let _service = start(&root);
    let client = connect(&root).await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let image = client.pull(&reference, None, &HOW, Some(sender)).await.unwrap();
    let (mut told, mut total) = (0, 0);
    while let Some(event) = events.recv().await {
        told += event.add_size.unwrap_or_default();
        total += event.add_total_size.unwrap_or_default();
    }
    assert_eq!(told, total, "what was there is told about as well");
    client.unpack(&image, None, None).await.unwrap();
    let fetched = proxy.passed.load(Ordering::SeqCst) - passed;
    let missing = SIZE as u64 - kept_bytes;
    assert!(
        fetched < missing + (1 << 20),
        "{fetched} bytes were fetched, {missing} were missing"
    );
    assert_eq!(kept(), 0);
}
