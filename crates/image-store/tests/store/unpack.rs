//! Disks of images, checked by erofs-utils.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use container_image_store::{DiskUsage, Error, ImageStore, Registries, Snapshot};
use container_ipc::Progress;
use container_resource::{ImageDescription, Platform};

use crate::support::{Compression, Layout, blobs, digest, layer, run};

struct Fixture {
    dir: tempfile::TempDir,
    store: ImageStore,
    image: ImageDescription,
}

impl Fixture {
    /// Loads an image for `platforms` with two layers, the upper of which changes and removes files of the lower.
    async fn new(platforms: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut layout = Layout::new(&dir.path().join("layout"));
        let manifests: Vec<_> = platforms
            .iter()
            .map(|platform| {
                let lower = layer(&[
                    ("etc/", b""),
                    ("etc/motd", b"one"),
                    ("etc/gone", b"x"),
                    ("bin/sh", platform.as_bytes()),
                ]);
                let upper = layer(&[("etc/motd", b"two"), ("etc/.wh.gone", b"")]);
                layout.manifest(platform, &[lower, upper], Compression::Gzip)
            })
            .collect();
        let index = layout.index(&manifests);
        layout.add("app:1", index);
        Self::load(dir, &layout).await
    }

    async fn load(dir: tempfile::TempDir, layout: &Layout) -> Self {
        let store = ImageStore::open(&dir.path().join("root"), Registries::default()).unwrap();
        let image = store
            .load(layout.dir.clone(), false)
            .await
            .unwrap()
            .images
            .remove(0);
        Self { dir, store, image }
    }

    async fn unpack(&self, platform: Option<&str>) -> Result<Vec<Snapshot>, Error> {
        let platform = platform.map(|platform| platform.parse().unwrap());
        self.store
            .unpack(self.image.clone(), platform, Progress::none())
            .await
    }

    /// What is on a disk, as erofs-utils see it.
    fn extract(&self, snapshot: &Snapshot) -> std::path::PathBuf {
        let target = self.dir.path().join("extracted");
        let option = format!("--extract={}", target.display());
        run("fsck.erofs", &[&option, snapshot.disk.to_str().unwrap()]);
        target
    }
}

fn allocated(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_layer_that_may_not_be_distributed() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(&dir.path().join("layout"));
    let manifest = layout.manifest("linux/amd64", &[layer(&[("a", b"1")])], Compression::Gzip);
    let text = fs::read(layout.path(manifest["digest"].as_str().unwrap())).unwrap();
    let mut changed: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let foreign = changed["layers"][0]["digest"].as_str().unwrap().to_owned();
    changed["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip".into();
    fs::remove_file(layout.path(&foreign)).unwrap();
    let text = changed.to_string();
    let mut manifest = manifest;
    manifest["digest"] = layout.blob(text.as_bytes()).into();
    manifest["size"] = text.len().into();
    let index = layout.index(&[manifest]);
    layout.add("app:1", index);
    let fixture = Fixture::load(dir, &layout).await;
    let failed = fixture
        .store
        .unpack(fixture.image.clone(), None, Progress::none())
        .await;
    let expected = "it may not be distributed, and the registry does not have it";
    assert_eq!(
        failed.unwrap_err().to_string(),
        format!("failed to unpack layer {foreign}: {expected}")
    );
}

#[tokio::test]
async fn a_disk_holds_the_flattened_layers() {
    let fixture = Fixture::new(&["linux/amd64"]).await;
    let error = fixture
        .store
        .snapshot(&fixture.image, &platform("linux/amd64"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "image snapshot for app:1 with platform linux/amd64"
    );
    let snapshot = fixture.unpack(Some("linux/amd64")).await.unwrap().remove(0);
    assert_eq!(
        fixture
            .store
            .snapshot(&fixture.image, &platform("linux/amd64"))
            .unwrap(),
        snapshot
    );
    let root = fixture.extract(&snapshot);
    assert_eq!(fs::read(root.join("etc/motd")).unwrap(), b"two");
    assert_eq!(fs::read(root.join("bin/sh")).unwrap(), b"linux/amd64");
    assert!(!root.join("etc/gone").exists());
    blobs(&fixture.dir.path().join("root"));
}

#[tokio::test]
async fn every_linux_platform_is_unpacked_once() {
    let fixture = Fixture::new(&["linux/amd64", "windows/amd64", "linux/arm64"]).await;
    let snapshots = fixture.unpack(None).await.unwrap();
    assert_eq!(snapshots.len(), 2);
    assert_eq!(
        fixture
            .store
            .snapshot(&fixture.image, &platform("linux/arm64"))
            .unwrap(),
        snapshots[1]
    );
    let inode = |snapshot: &Snapshot| fs::metadata(&snapshot.disk).unwrap().ino();
    let before: Vec<u64> = snapshots.iter().map(inode).collect();
    let again = fixture.unpack(None).await.unwrap();
    assert_eq!(
        again.iter().map(inode).collect::<Vec<_>>(),
        before,
        "nothing is made again"
    );
    let error = fixture.unpack(Some("linux/s390x")).await.unwrap_err();
    assert_eq!(error.to_string(), "platform linux/s390x");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unpacking_at_the_same_time_makes_one_disk() {
    let fixture = std::sync::Arc::new(Fixture::new(&["linux/amd64"]).await);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let fixture = std::sync::Arc::clone(&fixture);
            tokio::spawn(async move {
                let snapshot = fixture.unpack(None).await.unwrap().remove(0);
                fs::metadata(snapshot.disk).unwrap().ino()
            })
        })
        .collect();
    let mut inodes = std::collections::BTreeSet::new();
    for task in tasks {
        inodes.insert(task.await.unwrap());
    }
    assert_eq!(inodes.len(), 1);
}

#[tokio::test]
async fn layers_that_are_not_what_the_configuration_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(&dir.path().join("layout"));
    let (good, bad) = (layer(&[("a", b"1")]), layer(&[("a", b"2")]));
    let manifest = layout.manifest("linux/amd64", std::slice::from_ref(&good), Compression::None);
    let text = fs::read_to_string(layout.path(manifest["digest"].as_str().unwrap())).unwrap();
    let forged = text.replace(&digest(&good), &layout.blob(&bad));
    let mut descriptor = manifest.clone();
    descriptor["digest"] = layout.blob(forged.as_bytes()).into();
    layout.add("forged:1", descriptor);
    let fixture = Fixture::load(dir, &layout).await;
    let error = fixture.unpack(None).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("failed to unpack layer {}: ", digest(&bad))),
        "{error}"
    );
    assert!(error.contains(&digest(&good)), "{error}");
    blobs(&fixture.dir.path().join("root"));
    assert!(
        fixture
            .store
            .snapshot(&fixture.image, &platform("linux/amd64"))
            .is_err()
    );
}

#[tokio::test]
async fn what_is_reclaimable_comes_back() {
    let fixture = Fixture::new(&["linux/amd64", "linux/arm64"]).await;
    let snapshots = fixture.unpack(None).await.unwrap();
    let store = &fixture.store;
    store.tag("app:1".into(), "app:2".into()).await.unwrap();
    let usage = |active: &[&str]| store.disk_usage(active.iter().map(|&name| name.to_owned()).collect());
    let whole = usage(&["app:2", "unknown"]).await.unwrap();
    assert_eq!((whole.images, whole.active, whole.reclaimable), (2, 1, 0));
    let disks: u64 = snapshots.iter().map(|snapshot| allocated(&snapshot.disk)).sum();
    let content = fixture.dir.path().join("root/content/blobs/sha256");
    let contents: u64 = fs::read_dir(content)
        .unwrap()
        .map(|entry| allocated(&entry.unwrap().path()))
        .sum();
    assert!(
        whole.size >= disks + contents && disks > 0 && contents > 0,
        "{whole:?}"
    );
    let unused = usage(&[]).await.unwrap();
    assert_eq!((unused.size, unused.reclaimable), (whole.size, whole.size));

    let linked = fixture.dir.path().join("linked");
    fs::hard_link(&snapshots[0].disk, &linked).unwrap();
    let kept = allocated(&linked);
    assert!(kept > 0);
    let unused = usage(&[]).await.unwrap();
    assert_eq!(unused.reclaimable, whole.size - kept, "a container has the disk");
    store.delete("app:1".into()).await.unwrap();
    assert_eq!(store.collect().await.unwrap().bytes, 0);
    store.delete("app:2".into()).await.unwrap();
    assert_eq!(
        usage(&["app:2"]).await.unwrap().reclaimable,
        unused.reclaimable,
        "orphans"
    );
    assert_eq!(store.collect().await.unwrap().bytes, unused.reclaimable);
    assert_eq!(usage(&[]).await.unwrap(), DiskUsage::default());
}

#[tokio::test]
async fn disks_are_collected_with_their_image() {
    let fixture = Fixture::new(&["linux/amd64"]).await;
    let snapshot = fixture.unpack(None).await.unwrap().remove(0);
    assert_eq!(fixture.store.collect().await.unwrap().snapshots, 0);
    let allocated = allocated(&snapshot.disk);
    let mut outdated = fixture.image.clone();
    outdated.descriptor.set_digest(digest(b"other").parse().unwrap());
    let error = fixture
        .store
        .snapshot(&outdated, &platform("linux/amd64"))
        .unwrap_err()
        .to_string();
    let digests = (fixture.image.descriptor.digest(), digest(b"other"));
    assert_eq!(
        error,
        format!("descriptor mismatch: expected {}, got {}", digests.0, digests.1)
    );
    fixture.store.delete("app:1".into()).await.unwrap();
    let collected = fixture.store.collect().await.unwrap();
    assert_eq!(collected.snapshots, 1);
    assert!(collected.bytes >= allocated, "{collected:?}");
    assert!(!snapshot.disk.exists());
}
