//! The service as a process, with images by umoci and Debian's registry filled by skopeo.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use container_client::images::Fetch;
use container_ipc::{Error, ErrorCode, ProgressEvent};
use container_resource::Platform;
use tokio::sync::mpsc;

use support::{HOW, connect, noise, registry, run, skopeo_copy, start};

/// A layout with the image `app`, which has `files` in `/data`, each with `size` bytes that do not compress.
fn layout(dir: &Path, files: usize, size: usize) -> PathBuf {
    let layout = dir.join("layout");
    let data = dir.join("data");
    fs::create_dir(&data).unwrap();
    for n in 0..files {
        fs::write(data.join(n.to_string()), noise(n as u32, size)).unwrap();
    }
    let name = layout.display().to_string();
    let image = format!("{name}:app");
    run("umoci", &["init", "--layout", &name]);
    run("umoci", &["new", "--image", &image]);
    run(
        "umoci",
        &[
            "insert",
            "--rootless",
            "--image",
            &image,
            data.to_str().unwrap(),
            "/data",
        ],
    );
    run(
        "umoci",
        &[
            "config",
            "--image",
            &image,
            "--config.cmd",
            "/bin/true",
            "--architecture",
            "amd64",
        ],
    );
    layout
}

fn platform() -> Platform {
    Platform::new("linux", "amd64", None)
}

fn push(layout: &Path, host: &str) {
    let (from, to) = (
        format!("oci:{}:app", layout.display()),
        format!("docker://{host}/app:1"),
    );
    skopeo_copy(&from, &to);
}

#[tokio::test]
async fn load_unpack_inspect_delete() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let _service = start(&root);
    let client = connect(&root).await;
    assert_eq!(client.list().await.unwrap(), []);

    let layout = layout(dir.path(), 3, 5000);
    let archive = dir.path().join("app.tar");
    run(
        "tar",
        &[
            "-C",
            layout.to_str().unwrap(),
            "-cf",
            archive.to_str().unwrap(),
            ".",
        ],
    );
    let loaded = client.load(&archive, false).await.unwrap();
    let image = loaded.image_descriptions[0].clone();
    assert_eq!(image.reference, "app");
    assert_eq!(client.get("app", "docker.io").await.unwrap(), image);

    let variant = client.variant(&image, &platform()).await.unwrap();
    assert_eq!(
        variant.config.config().as_ref().unwrap().cmd().as_ref().unwrap(),
        &["/bin/true"]
    );
    let error = client.snapshot(&image, &platform()).await.unwrap_err();
    assert_eq!(
        error,
        Error::not_found("image snapshot for app with platform linux/amd64")
    );
    let (sender, mut events) = mpsc::unbounded_channel();
    client.unpack(&image, None, Some(sender)).await.unwrap();
    let disk = client.snapshot(&image, &platform()).await.unwrap();
    assert_eq!(
        (disk.destination.as_str(), &disk.options[..]),
        ("/", &["ro".to_owned()][..])
    );
    run("fsck.erofs", &[&disk.source]);
    let (items, total) = sums(&mut events);
    assert_eq!((items, total), (1, 1), "one layer");

    let usage = client.disk_usage(vec!["app".to_owned()]).await.unwrap();
    assert_eq!(
        (usage.total_count, usage.active_count, usage.reclaimable_size),
        (1, 1, 0)
    );
    let unused = client.disk_usage(Vec::new()).await.unwrap();
    assert!(
        unused.active_count == 0 && unused.reclaimable_size == unused.image_size,
        "{unused:?}"
    );

    let tagged = client.tag("app", "docker.io/library/app:2").await.unwrap();
    assert_eq!(tagged.descriptor, image.descriptor);
    let resources = client.inspect(client.list().await.unwrap()).await.unwrap();
    let names: Vec<&str> = resources
        .iter()
        .map(|resource| resource.configuration.name.as_str())
        .collect();
    assert_eq!(names, ["app", "docker.io/library/app:2"]);
    let blob = client.content(image.descriptor.digest().as_ref()).await.unwrap();
    assert_eq!(fs::metadata(blob).unwrap().len(), image.descriptor.size());

    for text in ["app", "docker.io/library/app:2"] {
        client.delete(text, true).await.unwrap();
    }
    assert_eq!(
        fs::read_dir(root.join("content/blobs/sha256")).unwrap().count(),
        0
    );
    assert!(!Path::new(&disk.source).exists());
    let error = client.delete("app", true).await.unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (ErrorCode::NotFound, "image with reference app")
    );
    let error = client.load(Path::new("/nonexistent"), false).await.unwrap_err();
    assert_eq!(
        error.message,
        "failed to open /nonexistent: No such file or directory (os error 2)"
    );
}

/// Items and total items that a finished call reported.
fn sums(events: &mut mpsc::UnboundedReceiver<ProgressEvent>) -> (i64, i64) {
    let mut sums = (0, 0);
    while let Ok(event) = events.try_recv() {
        sums.0 += event.add_items.unwrap_or(0);
        sums.1 += event.add_total_items.unwrap_or(0);
    }
    sums
}

#[tokio::test]
async fn fetching_pulls_once() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let _service = start(&root);
    let client = connect(&root).await;
    let (registry, host) = registry(dir.path());
    push(&layout(dir.path(), 1, 5000), &host);
    let name = format!("{host}/app:1");
    let (sender, mut events) = mpsc::unbounded_channel();
    let (image, variant) = client
        .fetch(&name, &platform(), &HOW, Some(sender))
        .await
        .unwrap();
    assert_eq!(image.reference, name);
    assert_eq!(sums(&mut events), (2, 2), "configuration and layer");
    drop(registry);
    assert_eq!(
        client.fetch(&name, &platform(), &HOW, None).await.unwrap(),
        (image, variant),
        "no registry needed"
    );
    let arm = Platform::new("linux", "arm64", None);
    let error = client.fetch(&name, &arm, &HOW, None).await.unwrap_err();
    assert_eq!(error, Error::unsupported("platform linux/arm64"));
    let error = client.pull(&name, None, &HOW, None).await.unwrap_err();
    assert_eq!(
        error.message,
        format!("cannot reach registry {host}: Connection refused (os error 111)")
    );
    let error = client.pull("Nonsense", None, &HOW, None).await.unwrap_err();
    assert_eq!(
        error,
        Error::invalid_argument("invalid format for image reference")
    );
    let none = Fetch {
        max_concurrent_downloads: 0,
        ..HOW
    };
    let error = client.pull(&name, None, &none, None).await.unwrap_err();
    assert_eq!(
        error.message,
        "maximum number of concurrent downloads must be greater than 0, got 0"
    );
}

/// A header of a tar archive's member, for a file of `size` bytes.
#[cfg(target_os = "linux")]
fn header(path: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    for (at, number) in [
        (100, "0000644"),
        (108, "0000000"),
        (116, "0000000"),
        (136, "00000000001"),
    ] {
        put(at, number);
    }
    put(124, &format!("{size:011o}"));
    // The sum is taken with spaces in its own place.
    put(148, "        0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

/// The peak of a process's resident memory, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024
}

/// What is kept in memory of an image is its names.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_hundred_thousand_files_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let layer = dir.path().join("layer.tar");
    let mut archive = Vec::new();
    for n in 0..100_000 {
        archive.extend(header(&format!("usr/share/{}/file-{n}", n % 1000), 10));
        archive.extend(b"content 10");
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.resize(archive.len() + 1024, 0);
    fs::write(&layer, &archive).unwrap();
    let layout = layout(dir.path(), 1, 100);
    let image = format!("{}:app", layout.display());
    run(
        "umoci",
        &["raw", "add-layer", "--image", &image, layer.to_str().unwrap()],
    );

    let root = dir.path().join("root");
    let service = start(&root);
    let client = connect(&root).await;
    let loaded = client.load(&layout, false).await.unwrap();
    client
        .unpack(&loaded.image_descriptions[0], None, None)
        .await
        .unwrap();
    let peak = peak_memory(service.0.id());
    println!("{peak} bytes at most");
    assert!(peak <= 64 << 20, "{peak} bytes");
}
