//! Disks that are made while layers arrive.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use container_image_store::Registries;
use container_resource::{Platform, Reference};

use crate::pull::{Store, pull};
use crate::server::{Fault, Server};
use crate::support::{Compression, Layout, blobs, digest, layer, run};

/// The bytes of disks that are being made.
fn in_the_making(root: &Path) -> u64 {
    let entries = fs::read_dir(root.join("snapshots/ingest")).unwrap();
    entries
        .filter_map(|entry| fs::metadata(entry.unwrap().path().join("disk.erofs")).ok())
        .map(|metadata| metadata.len())
        .sum()
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_grows_while_its_layer_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(dir.path());
    let contents: Vec<u8> = (0..2_000_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let base = layer(&[("etc/", b""), ("etc/motd", b"hello\n")]);
    let large = layer(&[("large", &contents)]);
    let manifest = layout.manifest("linux/amd64", &[base, large.clone()], Compression::None);
    layout.add("app:1", manifest);
    let server = Server::start(&layout).await;
    let reference: Reference = format!("{}/app:1", server.host).parse().unwrap();
    let store = Store::new(Registries::default());

    server.fault(&digest(&large), Fault::StallAfter(5_000_000), 1);
    let (images, wanted) = (store.store.clone(), reference.clone());
    let pulling = tokio::spawn(async move { pull(&images, &wanted, None).await.map(|_| ()) });
    eventually("the disk grows", || in_the_making(&store.root()) >= 4_000_000).await;
    assert!(!pulling.is_finished(), "the layer did not arrive yet");
    pulling.abort();
    eventually("what is given up goes away", || {
        let ingest = |of: &str| fs::read_dir(store.root().join(of)).unwrap().count();
        ingest("snapshots/ingest") + ingest("content/ingest") == 0
    })
    .await;

    let image = store.pull(&reference, None).await.unwrap();
    let snapshot = store
        .store
        .snapshot(&image, &platform("linux/amd64"))
        .expect("a disk without asking");
    let target = dir.path().join("extracted");
    let option = format!("--extract={}", target.display());
    run("fsck.erofs", &[&option, snapshot.disk.to_str().unwrap()]);
    assert_eq!(fs::read(target.join("etc/motd")).unwrap(), b"hello\n");
    assert!(fs::read(target.join("large")).unwrap() == contents);
    blobs(&store.root());
}

#[tokio::test]
async fn only_linux_variants_with_sound_layers_get_disks() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(dir.path());
    let variant =
        |platform: &str, contents: Vec<u8>| layout.manifest(platform, &[contents], Compression::Gzip);
    let variants = [
        variant("linux/amd64", layer(&[("a", b"1")])),
        variant("windows/amd64", layer(&[("a", b"2")])),
        variant("linux/s390x", b"no archive".to_vec()),
        variant("linux/arm64", layer(&[("a", b"3")])),
    ];
    let index = layout.index(&variants);
    layout.add("app:1", index);
    let server = Server::start(&layout).await;
    let reference: Reference = format!("{}/app:1", server.host).parse().unwrap();
    let store = Store::new(Registries::default());
    let image = store.pull(&reference, None).await.unwrap();
    let there = |text: &str| store.store.snapshot(&image, &platform(text)).is_ok();
    let texts = ["linux/amd64", "windows/amd64", "linux/s390x", "linux/arm64"];
    assert_eq!(texts.map(there), [true, false, false, true]);
    assert_eq!(blobs(&store.root()).len(), 13, "all of it is stored all the same");
}
