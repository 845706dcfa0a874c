//! Pulling from Debian's registry, filled by skopeo.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use container_image_store::{Credentials, Error, ImageStore, PullRequest, Registries};
use container_ipc::Progress;
use container_resource::{ImageDescription, Platform, Reference};
use serde_json::{Value, json};

use crate::support::{Compression, Layout, blobs, layer, run, small_layout};

/// A `docker-registry` process with its data in a temporary directory.
pub(crate) struct Registry {
    pub(crate) host: String,
    process: Child,
    _dir: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn start(password_file: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .to_string();
        let mut config = json!({
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": dir.path().join("data")}},
            "http": {"addr": host},
        });
        if password_file {
            let path = dir.path().join("htpasswd");
            // `secret`, hashed with bcrypt.
            fs::write(
                &path,
                "user:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n",
            )
            .unwrap();
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": path}});
        }
        let path = dir.path().join("config.json");
        fs::write(&path, config.to_string()).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is needed by this test");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < deadline, "docker-registry does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self {
            host,
            process,
            _dir: dir,
        }
    }

    pub(crate) fn push(&self, from: &str, to: &str) {
        let to = format!("docker://{}/{to}", self.host);
        run(
            "skopeo",
            &[
                "copy",
                "--insecure-policy",
                "-q",
                "--all",
                "--dest-tls-verify=false",
                "--dest-creds=user:secret",
                from,
                &to,
            ],
        );
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/{rest}", self.host).parse().unwrap()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A store whose registries answer fast.
pub(crate) struct Store {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: ImageStore,
}

impl Store {
    pub(crate) fn new(registries: Registries) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&dir.path().join("root"), registries).unwrap();
        Self { dir, store }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub(crate) async fn pull(
        &self,
        reference: &Reference,
        platform: Option<&str>,
    ) -> Result<ImageDescription, Error> {
        pull(&self.store, reference, platform).await
    }
}

pub(crate) async fn pull(
    store: &ImageStore,
    reference: &Reference,
    platform: Option<&str>,
) -> Result<ImageDescription, Error> {
    let request = PullRequest {
        reference: reference.clone(),
        platform: platform.map(|platform| platform.parse::<Platform>().unwrap()),
        insecure: true,
        concurrent_downloads: NonZeroUsize::new(3).unwrap(),
    };
    store.pull(request, Progress::none()).await
}

fn two_platforms(dir: &Path) -> Layout {
    let mut layout = Layout::new(dir);
    let shared = layer(&[("shared", b"both")]);
    let manifests = [("linux/amd64", b"x86"), ("linux/arm64", b"arm")].map(|(platform, contents)| {
        layout.manifest(
            platform,
            &[shared.clone(), layer(&[("own", contents)])],
            Compression::Gzip,
        )
    });
    let index = layout.index(&manifests);
    layout.add("multi", index);
    layout
}

fn read(store: &ImageStore, digest: &oci_spec::image::Digest) -> Value {
    serde_json::from_slice(&fs::read(store.content_path(digest).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn single_manifests_are_wrapped_and_pulled_again() {
    let registry = Registry::start(false);
    let store = Store::new(Registries::default());
    let layout = small_layout(&store.dir.path().join("layout"));
    registry.push(
        &format!("oci:{}:example.com/app:1", layout.dir.display()),
        "app:1",
    );
    let reference = registry.reference("app:1");
    let image = store.pull(&reference, None).await.unwrap();
    assert_eq!(image.reference, reference.to_string());
    assert_eq!(store.store.list(), std::slice::from_ref(&image));
    let index = read(&store.store, image.descriptor.digest());
    assert_eq!(
        index["annotations"]["com.apple.containerization.index.indirect"],
        "true"
    );
    assert_eq!(blobs(&store.root()).len(), 5);
    assert_eq!(store.pull(&reference, None).await.unwrap(), image, "nothing new");
    assert_eq!(store.pull(&reference, Some("linux/amd64")).await.unwrap(), image);
    let error = store.pull(&reference, Some("linux/arm64")).await.unwrap_err();
    assert_eq!(error.to_string(), "platform linux/arm64");
    assert_eq!(blobs(&store.root()).len(), 5);
}

#[tokio::test]
async fn indexes_are_kept_whole_and_filled_as_needed() {
    let registry = Registry::start(false);
    let store = Store::new(Registries::default());
    let layout = two_platforms(&store.dir.path().join("layout"));
    registry.push(&format!("oci:{}:multi", layout.dir.display()), "team/multi:1");
    let reference = registry.reference("team/multi:1");
    let image = store.pull(&reference, Some("linux/arm64/v8")).await.unwrap();
    let platforms = |image: &ImageDescription| -> Vec<String> {
        let variants = store.store.inspect(image).unwrap().variants;
        variants
            .iter()
            .map(|variant| variant.platform.to_string())
            .collect()
    };
    assert_eq!(platforms(&image), ["linux/arm64"]);
    let index = read(&store.store, image.descriptor.digest());
    assert_eq!(
        index["manifests"].as_array().unwrap().len(),
        2,
        "the index is the registry's"
    );
    let all = store.pull(&reference, None).await.unwrap();
    assert_eq!(all.descriptor, image.descriptor);
    assert_eq!(platforms(&image), ["linux/amd64", "linux/arm64"]);
    // The shared layer, two own ones, two configurations, two manifests, one index.
    assert_eq!(blobs(&store.root()).len(), 8);
    let error = store.pull(&reference, Some("linux/riscv64")).await.unwrap_err();
    assert_eq!(error.to_string(), "platform linux/riscv64");

    let by_digest = registry.reference(&format!("team/multi@{}", image.descriptor.digest()));
    let pinned = store.pull(&by_digest, None).await.unwrap();
    assert_eq!(pinned.descriptor.digest(), image.descriptor.digest());
    assert_eq!(store.store.list().len(), 2);
    let nowhere = registry.reference(&format!("team/multi@sha256:{}", "0".repeat(64)));
    let error = store.pull(&nowhere, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{nowhere} not found in registry {}", registry.host)
    );
}

#[tokio::test]
async fn docker_manifests() {
    let registry = Registry::start(false);
    let store = Store::new(Registries::default());
    let layout = small_layout(&store.dir.path().join("layout"));
    let (from, to) = (
        format!("oci:{}:example.com/app:1", layout.dir.display()),
        format!("docker://{}/app:docker", registry.host),
    );
    run(
        "skopeo",
        &[
            "copy",
            "--insecure-policy",
            "-q",
            "--format=v2s2",
            "--dest-tls-verify=false",
            &from,
            &to,
        ],
    );
    let image = store
        .pull(&registry.reference("app:docker"), Some("linux/amd64"))
        .await
        .unwrap();
    let index = read(&store.store, image.descriptor.digest());
    assert_eq!(
        index["manifests"][0]["mediaType"],
        "application/vnd.docker.distribution.manifest.v2+json"
    );
    assert_eq!(store.store.inspect(&image).unwrap().variants.len(), 1);
}

#[tokio::test]
async fn passwords() {
    let registry = Registry::start(true);
    let layouts = tempfile::tempdir().unwrap();
    let layout = small_layout(layouts.path());
    registry.push(
        &format!("oci:{}:example.com/app:1", layout.dir.display()),
        "app:1",
    );
    let reference = registry.reference("app:1");
    let host = &registry.host;

    let anonymous = Store::new(Registries::default());
    let error = anonymous.pull(&reference, None).await.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("registry {host} denied access to app: 401 Unauthorized")),
        "{error}"
    );
    assert!(
        error.ends_with(&format!(", no credentials found for host {host}")),
        "{error}"
    );
    assert_eq!(blobs(&anonymous.root()), [""; 0]);

    let with = |secret: &str| {
        let credentials = Credentials {
            host: host.clone(),
            user: "user".into(),
            secret: secret.into(),
        };
        Store::new(Registries {
            credentials: Some(credentials),
            ..Registries::default()
        })
    };
    let error = with("wrong")
        .pull(&reference, None)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("denied access to app: 401 Unauthorized"),
        "{error}"
    );
    assert!(
        !error.contains("no credentials") && !error.contains("wrong"),
        "{error}"
    );
    with("secret").pull(&reference, None).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_pulled_says_why() {
    let registry = Registry::start(false);
    let store = Store::new(Registries {
        connect_timeout: Duration::from_secs(2),
        ..Registries::default()
    });
    let missing = registry.reference("nobody/nothing:1");
    let error = store.pull(&missing, None).await.unwrap_err();
    assert_eq!(error.code(), container_ipc::ErrorCode::NotFound);
    assert_eq!(
        error.to_string(),
        format!("{missing} not found in registry {}", registry.host)
    );

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = store
        .pull(&format!("{closed}/a:1").parse().unwrap(), None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot reach registry {closed}: Connection refused (os error 111)")
    );
    let unknown: Reference = "registry.invalid/a:1".parse().unwrap();
    let error = store.pull(&unknown, None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("cannot reach registry registry.invalid: "),
        "{error}"
    );
    assert!(!error.contains('\n'), "{error}");

    let https = PullRequest {
        reference: registry.reference("a:1"),
        platform: None,
        insecure: false,
        concurrent_downloads: NonZeroUsize::MIN,
    };
    let error = store
        .store
        .pull(https, Progress::none())
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        format!(
            "cannot reach registry {}: it does not speak https (--scheme http may help)",
            registry.host
        )
    );
    assert_eq!(blobs(&store.root()), [""; 0]);
    assert_eq!(store.store.list(), []);
}
