//! Saving images: what is in the archive, and who can read it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use container_image_store::{Error, ImageStore, Registries};
use container_resource::{ImageDescription, Platform};
use serde_json::Value;

use crate::support::{Compression, Layout, blobs, digest, layer, run, small_layout};

/// A store with the images of a layout.
async fn loaded(dir: &Path, layout: &Layout) -> (ImageStore, Vec<ImageDescription>) {
    let store = ImageStore::open(&dir.join("root"), Registries::default()).unwrap();
    let loaded = store.load(layout.dir.clone(), false).await.unwrap();
    (store, loaded.images)
}

async fn save(
    store: &ImageStore,
    images: &[ImageDescription],
    platform: Option<&str>,
    to: &Path,
) -> Result<(), Error> {
    let platform = platform.map(|text| text.parse::<Platform>().unwrap());
    store
        .save(images.to_vec(), platform, File::create(to).unwrap())
        .await
}

/// The members of an archive; blobs are compared with their names.
fn members(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut members = BTreeMap::new();
    for entry in tar::Archive::new(File::open(archive).unwrap()).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry.header().entry_type().is_file() {
            if let Some(hex) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(digest(&bytes), format!("sha256:{hex}"));
            }
            assert_eq!(members.insert(name, bytes), None, "twice in the archive");
        }
    }
    members
}

/// Every digest that the archive's index leads to.
fn listed(members: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Vec<Value> = vec![serde_json::from_slice(&members["index.json"]).unwrap()];
    while let Some(document) = open.pop() {
        let entries = ["manifests", "layers"].into_iter();
        let entries = entries.filter_map(|name| document[name].as_array()).flatten();
        for descriptor in entries.chain(document.get("config").filter(|config| config.is_object())) {
            let hex = descriptor["digest"].as_str().unwrap().replace("sha256:", "");
            let Some(bytes) = members.get(&format!("blobs/sha256/{hex}")) else {
                panic!("{hex} is listed and not there");
            };
            if descriptor["mediaType"]
                .as_str()
                .is_some_and(|media_type| media_type.contains("index") || media_type.contains("manifest"))
            {
                open.push(serde_json::from_slice(bytes).unwrap());
            }
            found.push(hex);
        }
    }
    found.sort();
    found.dedup();
    found
}

fn two_platforms(dir: &Path) -> Layout {
    let mut layout = Layout::new(dir);
    let manifest = |platform: &str| {
        let layers = [layer(&[("platform", platform.as_bytes())])];
        layout.manifest(platform, &layers, Compression::Gzip)
    };
    let index = layout.index(&[manifest("linux/amd64"), manifest("linux/arm64")]);
    layout.add("example.com/app:1", index);
    layout
}

#[tokio::test]
async fn an_archive_holds_what_it_lists() {
    let dir = tempfile::tempdir().unwrap();
    let layout = two_platforms(&dir.path().join("layout"));
    let (store, images) = loaded(dir.path(), &layout).await;
    let archive = dir.path().join("all.tar");
    save(&store, &images, None, &archive).await.unwrap();
    let all = members(&archive);
    assert_eq!(listed(&all).len(), 7, "index, and three per platform");
    assert_eq!(all.len(), 9);
    assert_eq!(all["oci-layout"], br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: Value = serde_json::from_slice(&all["index.json"]).unwrap();
    let top = &index["manifests"][0];
    assert_eq!(top["digest"], images[0].descriptor.digest().to_string());
    for name in [
        "com.apple.containerization.image.name",
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ] {
        assert_eq!(top["annotations"][name], "example.com/app:1");
    }
    let again = dir.path().join("again.tar");
    save(&store, &images, None, &again).await.unwrap();
    assert_eq!(fs::read(&archive).unwrap(), fs::read(&again).unwrap());
    // Nothing is left of the session.
    blobs(&dir.path().join("root"));
}

#[tokio::test]
async fn one_platform_comes_with_an_index_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let layout = two_platforms(&dir.path().join("layout"));
    let (store, images) = loaded(dir.path(), &layout).await;
    let archive = dir.path().join("arm64.tar");
    save(&store, &images, Some("linux/arm64"), &archive)
        .await
        .unwrap();
    assert_eq!(listed(&members(&archive)).len(), 4);

    // What was loaded from it has one platform, and gives the same archive whether or not one is asked for.
    let other = ImageStore::open(&dir.path().join("other"), Registries::default()).unwrap();
    let loaded = other.load(archive.clone(), false).await.unwrap().images;
    assert_eq!(loaded[0].reference, "example.com/app:1");
    let again = dir.path().join("again.tar");
    save(&other, &loaded, None, &again).await.unwrap();
    assert_eq!(listed(&members(&again)), listed(&members(&archive)));
    let error = save(&other, &loaded, Some("linux/amd64"), &again).await;
    assert_eq!(
        error.unwrap_err().to_string(),
        "image example.com/app:1 has no content for platform linux/amd64; available platforms: linux/arm64"
    );
}

#[tokio::test]
async fn an_incomplete_image_is_saved_as_far_as_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = Layout::new(&dir.path().join("layout"));
    let there = layout.manifest("linux/amd64", &[layer(&[("a", b"a")])], Compression::None);
    let gone = layout.manifest("linux/arm64", &[layer(&[("b", b"b")])], Compression::None);
    let index = layout.index(&[there, gone.clone()]);
    layout.add("example.com/app:1", index);
    fs::remove_file(layout.path(gone["digest"].as_str().unwrap())).unwrap();
    let (store, images) = loaded(dir.path(), &layout).await;
    let archive = dir.path().join("saved.tar");
    save(&store, &images, None, &archive).await.unwrap();
    assert_eq!(listed(&members(&archive)).len(), 4);
    let error = save(&store, &images, Some("linux/arm64"), &archive).await;
    assert!(
        matches!(&error, Err(Error::NoContent { available, .. }) if available.len() == 1),
        "{error:?}"
    );
}

#[tokio::test]
async fn skopeo_reads_it_and_names_share_blobs() {
    let dir = tempfile::tempdir().unwrap();
    let layout = small_layout(&dir.path().join("layout"));
    let (store, mut images) = loaded(dir.path(), &layout).await;
    let tagged = store
        .tag("example.com/app:1".to_owned(), "example.com/app:2".to_owned())
        .await
        .unwrap();
    images.push(tagged);
    let archive = dir.path().join("app.tar");
    save(&store, &images, None, &archive).await.unwrap();
    let index: Value = serde_json::from_slice(&members(&archive)["index.json"]).unwrap();
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
    let from = format!("oci-archive:{}:example.com/app:2", archive.display());
    let to = format!("dir:{}", dir.path().join("copied").display());
    run(
        "skopeo",
        &[
            "copy",
            "--insecure-policy",
            "--override-arch=amd64",
            "-q",
            &from,
            &to,
        ],
    );
    let manifest: Value =
        serde_json::from_slice(&fs::read(dir.path().join("copied/manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_image_that_changed_meanwhile_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let layout = small_layout(&dir.path().join("layout"));
    let (store, images) = loaded(dir.path(), &layout).await;
    store.delete(images[0].reference.clone()).await.unwrap();
    let archive = dir.path().join("app.tar");
    let error = save(&store, &images, None, &archive).await.unwrap_err();
    assert_eq!(error.to_string(), "image with reference example.com/app:1");
    assert_eq!(fs::metadata(&archive).unwrap().len(), 0, "nothing is written");
}
