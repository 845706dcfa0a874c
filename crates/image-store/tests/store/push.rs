//! Pushing to Debian's registry, through a proxy that notes what is asked for and breaks connections; skopeo reads what
//! arrived.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_image_store::{Credentials, Error, ImageStore, Registries};
use container_ipc::Progress;
use container_resource::{Platform, Reference};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::pull::Registry;
use crate::support::{Compression, Layout, digest, layer, run};

/// Passes connections on to a registry.
struct Proxy {
    host: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// Bytes that clients may still send until one connection is cut; negative once that happened.
    cut: Arc<AtomicI64>,
}

impl Proxy {
    async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            host: listener.local_addr().unwrap().to_string(),
            requests: Arc::default(),
            cut: Arc::new(AtomicI64::new(i64::MAX)),
        };
        let (requests, cut, to) = (Arc::clone(&proxy.requests), Arc::clone(&proxy.cut), to.to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (requests, cut, to) = (Arc::clone(&requests), Arc::clone(&cut), to.clone());
                tokio::spawn(async move { pass(client, &to, &requests, &cut).await });
            }
        });
        proxy
    }

    /// Method and path of every request since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }
}

async fn pass(client: TcpStream, to: &str, requests: &Mutex<Vec<String>>, cut: &AtomicI64) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
        if let Ok(text) = std::str::from_utf8(&buffer[..n])
            && let Some(line) = text.lines().next()
            && let Some(line) = line.strip_suffix(" HTTP/1.1")
        {
            requests.lock().unwrap().push(line.to_owned());
        }
        let sent = i64::try_from(n).unwrap();
        let left = cut.fetch_sub(sent, Ordering::SeqCst) - sent;
        if left < 0 && left + sent >= 0 {
            back.abort();
            return;
        }
        if to_server.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

/// Bytes that do not compress.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 7u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// A store with an image of two platforms, one of them with a layer of 9 MiB, under `reference`.
async fn store(dir: &Path, reference: &Reference, registries: Registries) -> (ImageStore, Layout, String) {
    let mut layout = Layout::new(&dir.join("layout"));
    let large = layer(&[("noise", &noise(9 << 20))]);
    let amd64 = layout.manifest("linux/amd64", &[large], Compression::None);
    let arm64 = layout.manifest("linux/arm64", &[layer(&[("a", b"a")])], Compression::Gzip);
    let index = layout.index(&[amd64, arm64]);
    let digest = index["digest"].as_str().unwrap().to_owned();
    layout.add(&reference.to_string(), index);
    let registries = Registries {
        retry_delay: Duration::from_millis(10),
        ..registries
    };
    let store = ImageStore::open(&dir.join("root"), registries).unwrap();
    store.load(layout.dir.clone(), false).await.unwrap();
    (store, layout, digest)
}

async fn push(store: &ImageStore, reference: &Reference, platform: Option<&str>) -> Result<(), Error> {
    let platform = platform.map(|text| text.parse::<Platform>().unwrap());
    store
        .push(reference.clone(), platform, true, Progress::none())
        .await
}

/// The manifest or index that skopeo gets.
fn raw(reference: &str, credentials: &str) -> Vec<u8> {
    let name = format!("docker://{reference}");
    run(
        "skopeo",
        &["inspect", "--raw", "--tls-verify=false", credentials, &name],
    )
    .stdout
}

/// Copies everything out of the registry, which checks every digest.
fn copy_out(reference: &str, dir: &Path) {
    let (from, to) = (
        format!("docker://{reference}"),
        format!("dir:{}", dir.join("copied").display()),
    );
    run(
        "skopeo",
        &[
            "copy",
            "--insecure-policy",
            "--all",
            "-q",
            "--src-tls-verify=false",
            &from,
            &to,
        ],
    );
}

fn count(requests: &[String], method: &str, part: &str) -> usize {
    let fits = |request: &&String| request.starts_with(method) && request.contains(part);
    requests.iter().filter(fits).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_not_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(false);
    let proxy = Proxy::start(&registry.host).await;
    let reference = proxy.reference("team/app:1");
    let (store, _layout, index) = store(dir.path(), &reference, Registries::default()).await;
    push(&store, &reference, None).await.unwrap();
    let first = proxy.requests();
    assert_eq!(count(&first, "POST", "/uploads/"), 4, "{first:#?}");
    let manifests: Vec<&String> = first
        .iter()
        .filter(|request| request.contains("/manifests/"))
        .collect();
    assert_eq!(manifests.len(), 3);
    assert_eq!(
        *manifests[2], "PUT /v2/team/app/manifests/1",
        "the index comes last"
    );
    let there = registry.reference("team/app:1").to_string();
    assert_eq!(digest(&raw(&there, "--no-creds")), index, "byte for byte");
    copy_out(&there, dir.path());

    push(&store, &reference, None).await.unwrap();
    let second = proxy.requests();
    assert_eq!(count(&second, "HEAD", "/blobs/"), 4);
    assert_eq!(count(&second, "POST", ""), 0, "{second:#?}");

    // Another repository gets the blobs from the first one.
    let other = proxy.reference("team/other:2");
    store.tag(reference.to_string(), other.to_string()).await.unwrap();
    push(&store, &other, None).await.unwrap();
    let third = proxy.requests();
    assert_eq!(count(&third, "POST", "from=team%2Fapp"), 4, "{third:#?}");
    assert_eq!(count(&third, "PATCH", ""), 0, "{third:#?}");
    assert_eq!(
        digest(&raw(
            &registry.reference("team/other:2").to_string(),
            "--no-creds"
        )),
        index
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_upload_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(false);
    let proxy = Proxy::start(&registry.host).await;
    let reference = proxy.reference("app:1");
    let (store, _layout, index) = store(dir.path(), &reference, Registries::default()).await;
    // In the middle of the second piece of 4 MiB.
    proxy.cut.store(6 << 20, Ordering::SeqCst);
    push(&store, &reference, None).await.unwrap();
    assert!(proxy.cut.load(Ordering::SeqCst) < 0, "nothing was cut");
    let sent = (6 << 20) - proxy.cut.load(Ordering::SeqCst);
    assert!(
        sent < 16 << 20,
        "{sent} bytes for 9 MiB: everything was sent again"
    );
    let there = registry.reference("app:1").to_string();
    assert_eq!(digest(&raw(&there, "--no-creds")), index);
    copy_out(&there, dir.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_platform_and_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(true);
    let reference = registry.reference("app:1");
    let registries = |secret: &str| Registries {
        credentials: Some(Credentials {
            host: registry.host.clone(),
            user: "user".to_owned(),
            secret: secret.into(),
        }),
        ..Registries::default()
    };
    let (denied, ..) = store(
        &dir.path().join("denied"),
        &reference,
        registries("wrong-password"),
    )
    .await;
    let error = push(&denied, &reference, None).await.unwrap_err().to_string();
    assert!(error.contains("denied access to app"), "{error}");
    assert!(!error.contains("wrong-password"), "{error}");

    let (store, ..) = store(dir.path(), &reference, registries("secret")).await;
    push(&store, &reference, Some("linux/arm64")).await.unwrap();
    let index: Value = serde_json::from_slice(&raw(&reference.to_string(), "--creds=user:secret")).unwrap();
    let platforms: Vec<&Value> = index["manifests"].as_array().unwrap().iter().collect();
    assert_eq!(platforms.len(), 1);
    assert_eq!(platforms[0]["platform"]["architecture"], "arm64");
    let error = push(&store, &reference, Some("linux/s390x")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "image {reference} has no content for platform linux/s390x; available platforms: linux/amd64, linux/arm64"
        )
    );
    let missing = registry.reference("missing:1");
    let error = push(&store, &missing, None).await.unwrap_err();
    assert_eq!(error.to_string(), format!("image with reference {missing}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_one_manifest_comes_back_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let registry = Registry::start(false);
    let reference = registry.reference("single:1");
    let mut layout = Layout::new(&dir.path().join("layout"));
    let manifest = layout.manifest("linux/amd64", &[layer(&[("a", b"a")])], Compression::Zstd);
    layout.add(&reference.to_string(), manifest.clone());
    let store = ImageStore::open(&dir.path().join("root"), Registries::default()).unwrap();
    let loaded = store.load(layout.dir.clone(), false).await.unwrap();
    assert_ne!(
        loaded.images[0].descriptor.digest().to_string(),
        manifest["digest"],
        "an index is around it"
    );
    push(&store, &reference, None).await.unwrap();
    let bytes = raw(&reference.to_string(), "--no-creds");
    assert_eq!(digest(&bytes), manifest["digest"]);
    assert_eq!(
        bytes,
        fs::read(layout.path(manifest["digest"].as_str().unwrap())).unwrap()
    );
}
