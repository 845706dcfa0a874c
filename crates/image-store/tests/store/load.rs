//! Loading archives and layouts, whole, damaged and hostile.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Compression, Layout, blobs, digest, gzip, layer, run, small_layout};
use container_image_store::{Error, ImageStore, Loaded, Registries};
use container_resource::Platform;
use serde_json::{Value, json};

fn open(root: &Path) -> Result<ImageStore, Error> {
    ImageStore::open(root, Registries::default())
}

struct Fixture {
    dir: tempfile::TempDir,
    store: ImageStore,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir.path().join("root")).unwrap();
        Self { dir, store }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn file(&self, name: &str, contents: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, contents).unwrap();
        path
    }

    async fn load(&self, path: &Path) -> Result<Loaded, Error> {
        self.store.load(path.to_owned(), false).await
    }

    async fn load_references(&self, path: &Path) -> Vec<String> {
        let loaded = self.load(path).await.unwrap();
        loaded.images.into_iter().map(|image| image.reference).collect()
    }

    /// Loads bytes that must be refused, and looks that nothing of them stays.
    async fn refuse(&self, archive: &[u8]) -> String {
        let error = self.load(&self.file("refused.tar", archive)).await.unwrap_err();
        assert_eq!(self.store.list(), []);
        assert_eq!(blobs(&self.root()), [""; 0]);
        error.to_string()
    }
}

#[tokio::test]
async fn layouts_and_archives_of_every_compression() {
    let fixture = Fixture::new();
    let layout = small_layout(&fixture.dir.path().join("layout"));
    let tar = layout.tar();
    let sources = [
        layout.dir.clone(),
        fixture.file("plain.tar", &tar),
        fixture.file("packed.tar.gz", &gzip(&tar)),
        fixture.file("packed.tar.zst", &zstd::encode_all(&tar[..], 3).unwrap()),
    ];
    for source in sources {
        let store = Fixture::new();
        assert_eq!(store.load_references(&source).await, ["example.com/app:1"]);
        assert_eq!(
            store.load_references(&source).await,
            ["example.com/app:1"],
            "loading again changes nothing"
        );
        // Two layers, configuration, manifest, and the index around it.
        assert_eq!(blobs(&store.root()).len(), 5, "{}", source.display());
        let image = store.store.list().remove(0);
        let resource = store.store.inspect(&image).unwrap();
        assert_eq!(resource.variants[0].platform.to_string(), "linux/amd64");
        assert_eq!(
            resource.configuration.creation_date.to_string(),
            "2026-01-02T03:04:05Z"
        );
        let index: Value = serde_json::from_slice(
            &fs::read(store.store.content_path(image.descriptor.digest()).unwrap()).unwrap(),
        )
        .unwrap();
        assert_eq!(
            index["annotations"]["com.apple.containerization.index.indirect"],
            "true"
        );
        assert_eq!(
            index["manifests"][0]["platform"],
            json!({"architecture": "amd64", "os": "linux"})
        );
    }
}

#[tokio::test]
async fn an_index_keeps_its_platforms() {
    let fixture = Fixture::new();
    let mut layout = Layout::new(&fixture.dir.path().join("layout"));
    let shared = layer(&[("shared", b"x")]);
    let amd64 = layout.manifest(
        "linux/amd64",
        &[shared.clone(), layer(&[("a", b"1")])],
        Compression::None,
    );
    let arm64 = layout.manifest("linux/arm64", &[shared, layer(&[("a", b"2")])], Compression::Zstd);
    let mut absent = arm64.clone();
    absent["digest"] = json!(digest(b"left out"));
    absent["platform"] = json!({"os": "linux", "architecture": "arm", "variant": "v6"});
    let index = layout.index(&[amd64, arm64, absent]);
    let root = index["digest"].clone();
    layout.add("example.com/multi:1", index);
    assert_eq!(
        fixture.load_references(&layout.dir).await,
        ["example.com/multi:1"]
    );
    let image = fixture.store.list().remove(0);
    assert_eq!(
        json!(image.descriptor.digest().to_string()),
        root,
        "the index is kept as it is"
    );
    let variants = fixture.store.inspect(&image).unwrap().variants;
    let platforms: Vec<String> = variants
        .iter()
        .map(|variant| variant.platform.to_string())
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let variant = |platform: &str| {
        fixture
            .store
            .variant(&image, &platform.parse::<Platform>().unwrap())
    };
    assert_eq!(
        variant("linux/arm64/v8")
            .unwrap()
            .config
            .rootfs()
            .diff_ids()
            .len(),
        2
    );
    assert_eq!(
        variant("linux/s390x").unwrap_err().to_string(),
        "platform linux/s390x"
    );
    assert!(
        matches!(variant("linux/arm/v6"), Err(Error::BlobNotFound(_))),
        "listed, but not stored"
    );
}

#[tokio::test]
async fn names_come_from_three_annotations_in_order() {
    let fixture = Fixture::new();
    let mut layout = Layout::new(&fixture.dir.path().join("layout"));
    let manifest = layout.manifest("linux/amd64", &[layer(&[("a", b"1")])], Compression::None);
    let [apple, containerd, oci] = [
        "com.apple.containerization.image.name",
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ];
    layout.add_annotated(
        &[(oci, "three"), (containerd, "two"), (apple, "one")],
        manifest.clone(),
    );
    layout.add_annotated(&[(oci, "three"), (containerd, "two")], manifest.clone());
    layout.add_annotated(&[(oci, "three")], manifest.clone());
    layout.add_annotated(&[], manifest);
    let references = fixture.load_references(&layout.dir).await;
    assert_eq!(references[..3], ["one", "two", "three"]);
    let image = fixture.store.list().pop().unwrap();
    assert_eq!(references[3], format!("untagged@{}", image.descriptor.digest()));
}

#[tokio::test]
async fn docker_archives_by_skopeo() {
    let fixture = Fixture::new();
    let layout = small_layout(&fixture.dir.path().join("layout"));
    let archive = fixture.dir.path().join("docker.tar");
    let (from, to) = (
        format!("oci:{}:example.com/app:1", layout.dir.display()),
        format!("docker-archive:{}:busybox:1.0", archive.display()),
    );
    run("skopeo", &["copy", "--insecure-policy", "-q", &from, &to]);
    assert_eq!(
        fixture.load_references(&archive).await,
        ["docker.io/library/busybox:1.0"]
    );
    let image = fixture.store.list().remove(0);
    let variant = &fixture.store.inspect(&image).unwrap().variants[0];
    let diff_ids = [
        layer(&[("bin/", b""), ("bin/true", b"#!/bin/sh\n")]),
        layer(&[("etc/", b""), ("etc/motd", b"hello\n")]),
    ]
    .map(|layer| digest(&layer));
    assert_eq!(variant.config.rootfs().diff_ids()[..], diff_ids);
    assert_eq!(blobs(&fixture.root()).len(), 5);
}

/// A docker archive as old Docker versions wrote it: layers in directories, repeated ones as links.
#[tokio::test]
async fn docker_archives_with_linked_layers() {
    let fixture = Fixture::new();
    let contents = layer(&[("a", b"1")]);
    let config = serde_json::to_vec(&json!({
        "os": "linux", "architecture": "arm64",
        "rootfs": {"type": "layers", "diff_ids": [digest(&contents), digest(&contents)]},
    }))
    .unwrap();
    let manifest = json!([{"Config": "config.json", "RepoTags": null, "Layers": ["second/layer.tar", "first/layer.tar"]}]);
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder
        .append_link(&mut link, "second/layer.tar", "../first/layer.tar")
        .unwrap();
    for (name, bytes) in [
        ("first/layer.tar", &contents[..]),
        ("config.json", &config),
        ("manifest.json", &serde_json::to_vec(&manifest).unwrap()),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, bytes).unwrap();
    }
    let path = fixture.file("docker.tar", &builder.into_inner().unwrap());
    let references = fixture.load_references(&path).await;
    assert!(references[0].starts_with("untagged@sha256:"), "{references:?}");
    assert_eq!(blobs(&fixture.root()).len(), 4);
}

#[tokio::test]
async fn truncated_archives_leave_nothing() {
    let fixture = Fixture::new();
    let tar = small_layout(&fixture.dir.path().join("layout")).tar();
    let contents = tar.iter().rposition(|byte| *byte != 0).unwrap();
    let mut texts = std::collections::BTreeSet::new();
    for end in (0..contents).step_by(97).chain((0..contents).step_by(512)) {
        let error = fixture.refuse(&tar[..end]).await;
        texts.insert(error.rsplit(": ").next().unwrap().to_owned());
    }
    let packed = gzip(&tar);
    for end in [1, 100, packed.len() / 2, packed.len() - 9] {
        fixture.refuse(&packed[..end]).await;
    }
    for text in texts {
        assert!(
            ["the archive is truncated", "it is not a tar archive"].contains(&text.as_str()),
            "unclear text: {text}"
        );
    }
}

#[tokio::test]
async fn damaged_archives_leave_nothing() {
    let fixture = Fixture::new();
    let layout = small_layout(&fixture.dir.path().join("layout"));
    let manifest: Value = serde_json::from_slice(&fs::read(layout.dir.join("index.json")).unwrap()).unwrap();
    let manifest: String = manifest["manifests"][0]["digest"].as_str().unwrap().to_owned();
    let contents: Value = serde_json::from_slice(&fs::read(layout.path(&manifest)).unwrap()).unwrap();
    let layer = contents["layers"][1]["digest"].as_str().unwrap().to_owned();
    let original = fs::read(layout.path(&layer)).unwrap();

    let mut damaged = original.clone();
    damaged[20] ^= 1;
    fs::write(layout.path(&layer), &damaged).unwrap();
    let error = fixture.refuse(&layout.tar()).await;
    assert_eq!(
        error,
        format!(
            "content is corrupt: expected digest {layer}, got {}",
            digest(&damaged)
        )
    );

    fs::remove_file(layout.path(&layer)).unwrap();
    let error = fixture.refuse(&layout.tar()).await;
    assert!(
        error.ends_with(&format!("it is incomplete: {layer} is missing")),
        "{error}"
    );
    let error = fixture.load(&layout.dir).await.unwrap_err().to_string();
    assert!(
        error.ends_with(&format!("it is incomplete: {layer} is missing")),
        "{error}"
    );

    fs::write(layout.path(&layer), &original).unwrap();
    fs::write(layout.path(&manifest), b"{}").unwrap();
    assert!(fixture.refuse(&layout.tar()).await.contains("content is corrupt"));
    fs::remove_file(layout.path(&manifest)).unwrap();
    fs::write(layout.dir.join("index.json"), b"{").unwrap();
    assert!(
        fixture
            .refuse(&layout.tar())
            .await
            .contains("index.json is malformed")
    );
}

#[tokio::test]
async fn what_is_not_an_archive_of_images() {
    let fixture = Fixture::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, "readme", &b"x"[..]).unwrap();
    for (bytes, text) in [
        (
            builder.into_inner().unwrap(),
            "it has neither index.json nor manifest.json, so it holds no images",
        ),
        (
            vec![0; 1 << 20],
            "it has neither index.json nor manifest.json, so it holds no images",
        ),
        (b"hello, world\n".repeat(100), "it is not a tar archive"),
        (
            b"BZh91AY&SY".to_vec(),
            "it is compressed with bzip2, which is not supported",
        ),
        (Vec::new(), "the archive is truncated"),
    ] {
        let error = fixture.refuse(&bytes).await;
        assert!(error.ends_with(text), "{error}");
    }
    let missing = fixture.load(Path::new("/nonexistent.tar")).await.unwrap_err();
    assert_eq!(
        container_ipc::Error::from(missing).message,
        "failed to open /nonexistent.tar: No such file or directory (os error 2)"
    );
}

#[tokio::test]
async fn hostile_members_are_refused_or_skipped() {
    let fixture = Fixture::new();
    let layout = small_layout(&fixture.dir.path().join("layout"));
    let mut builder = tar::Builder::new(layout.tar());
    // The layout's own end marker goes, so that more can follow.
    let end = builder.get_ref().iter().rposition(|byte| *byte != 0).unwrap() / 512 * 512 + 512;
    builder.get_mut().truncate(end);
    let mut raw = |name: &str, kind: tar::EntryType, link: &str| {
        let mut header = tar::Header::new_old();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &b""[..]).unwrap();
    };
    raw("/etc/passwd", tar::EntryType::Regular, "");
    raw("../../outside", tar::EntryType::Regular, "");
    raw("fifo", tar::EntryType::Fifo, "");
    raw("device", tar::EntryType::Block, "");
    raw("hard", tar::EntryType::Link, "index.json");
    raw("link", tar::EntryType::Symlink, "../../../etc/passwd");
    let archive = builder.into_inner().unwrap();
    let members = r#"["/etc/passwd", "../../outside", "fifo", "device", "hard", "link"]"#;
    assert_eq!(
        fixture.refuse(&archive).await,
        format!("cannot load tar image with rejected paths: {members}")
    );
    let path = fixture.file("forced.tar", &archive);
    let loaded = fixture.store.load(path, true).await.unwrap();
    assert_eq!(format!("{:?}", loaded.rejected), members);
    assert_eq!(loaded.images[0].reference, "example.com/app:1");
    blobs(&fixture.root());
}

/// Headers that say they go on for ever, in archives that hardly take any space.
#[tokio::test]
async fn endless_headers_are_refused() {
    let fixture = Fixture::new();
    let mut header = tar::Header::new_gnu();
    for (kind, text) in [
        (
            tar::EntryType::GNULongName,
            "a member's header has more than 1 MiB",
        ),
        (tar::EntryType::XHeader, "a member's header has more than 1 MiB"),
        (tar::EntryType::Regular, "the archive is truncated"),
    ] {
        header.set_entry_type(kind);
        header.set_size(64 << 30);
        header.set_path("x").unwrap();
        header.set_cksum();
        let archive = [&header.as_bytes()[..], &vec![b'x'; 32 << 20]].concat();
        let error = fixture.refuse(&zstd::encode_all(&archive[..], 1).unwrap()).await;
        assert!(error.ends_with(text), "{error}");
    }
}

/// Indexes that list an index a thousand times, which does the same: 10^12 manifests in four blobs.
#[tokio::test]
async fn indexes_that_multiply_are_looked_at_once() {
    let fixture = Fixture::new();
    let mut layout = Layout::new(&fixture.dir.path().join("layout"));
    let manifest = layout.manifest("linux/amd64", &[layer(&[("a", b"1")])], Compression::None);
    let mut index = layout.index(&[manifest]);
    for _ in 0..4 {
        index = layout.index(&vec![index; 1000]);
    }
    layout.add("wide:1", index);
    fixture.load(&layout.dir).await.unwrap();
    let image = fixture.store.list().remove(0);
    assert_eq!(fixture.store.inspect(&image).unwrap().variants.len(), 1);
    let output = tempfile::tempfile().unwrap();
    fixture
        .store
        .save(vec![image], Some("linux/amd64".parse().unwrap()), output)
        .await
        .unwrap();
    assert_eq!(fixture.store.collect().await.unwrap().digests.len(), 0);
}

#[tokio::test]
async fn deleting_collects_what_only_that_image_had() {
    let fixture = Fixture::new();
    let mut layout = Layout::new(&fixture.dir.path().join("layout"));
    let shared = layer(&[("shared", b"x")]);
    for (name, contents) in [("a:1", &b"1"[..]), ("b:1", b"2")] {
        let manifest = layout.manifest(
            "linux/amd64",
            &[shared.clone(), layer(&[("own", contents)])],
            Compression::None,
        );
        layout.add(name, manifest);
    }
    fixture.load(&layout.dir).await.unwrap();
    let before = blobs(&fixture.root());
    assert_eq!(
        fixture.store.collect().await.unwrap().digests.len(),
        0,
        "everything is needed"
    );
    fixture.store.tag("a:1".into(), "c:1".into()).await.unwrap();
    fixture.store.delete("a:1".into()).await.unwrap();
    assert_eq!(
        fixture.store.collect().await.unwrap().digests.len(),
        0,
        "the other name still needs it"
    );
    fixture.store.delete("c:1".into()).await.unwrap();
    let collected = fixture.store.collect().await.unwrap();
    assert_eq!(
        collected.digests.len(),
        4,
        "layer, configuration, manifest, index"
    );
    assert!(collected.bytes >= 4 * 512, "{collected:?}");
    let after = blobs(&fixture.root());
    assert_eq!(after.len(), before.len() - 4);
    assert!(after.contains(&digest(&shared)));
    fixture.store.delete("b:1".into()).await.unwrap();
    fixture.store.collect().await.unwrap();
    assert_eq!(blobs(&fixture.root()), [""; 0]);
    let error = fixture.store.delete("b:1".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "image with reference b:1");
}

#[tokio::test]
async fn unreadable_references_protect_the_blobs() {
    let fixture = Fixture::new();
    let layout = small_layout(&fixture.dir.path().join("layout"));
    fixture.load(&layout.dir).await.unwrap();
    let Fixture { dir, store } = fixture;
    drop(store);
    let root = dir.path().join("root");
    fs::write(root.join("state.json"), b"not json").unwrap();
    let store = open(&root).unwrap();
    let error = store.collect().await.unwrap_err();
    assert!(
        matches!(&error, Error::ReferencesSetAside(kept) if fs::read(kept).unwrap() == b"not json"),
        "{error}"
    );
    assert_eq!(blobs(&root).len(), 5);
}

#[test]
fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "image store at {} is in use by another process",
            dir.path().display()
        )
    );
    drop(store);
    open(dir.path()).unwrap();
}
