//! Registries that misbehave, and pulls that are given up.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use container_image_store::{Credentials, ImageStore, Registries};
use container_resource::Reference;

use crate::pull::{Store, pull};
use crate::server::{Auth, Fault, Server};
use crate::support::{Compression, Layout, blobs, digest};

/// A layout with one image whose layer has `size` bytes that do not compress, and the layer's digest.
fn layout(dir: &Path, size: usize) -> (Layout, String) {
    let mut layout = Layout::new(dir);
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(size)
    .collect();
    let manifest = layout.manifest("linux/amd64", std::slice::from_ref(&noise), Compression::None);
    layout.add("app:1", manifest);
    (layout, digest(&noise))
}

fn fast() -> Registries {
    Registries {
        retry_delay: Duration::from_millis(1),
        ..Registries::default()
    }
}

struct Fixture {
    store: Store,
    server: Server,
    layer: String,
    reference: Reference,
    _layout: tempfile::TempDir,
}

impl Fixture {
    async fn new(size: usize) -> Self {
        Self::with(size, fast()).await
    }

    async fn with(size: usize, registries: Registries) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (layout, layer) = layout(dir.path(), size);
        let server = Server::start(&layout).await;
        let reference = format!("{}/app:1", server.host).parse().unwrap();
        Self {
            store: Store::new(registries),
            server,
            layer,
            reference,
            _layout: dir,
        }
    }

    /// Where the beginning of the layer is kept.
    fn partial(&self) -> PathBuf {
        let hex = self.layer.strip_prefix("sha256:").unwrap();
        self.store.root().join("content/partial").join(hex)
    }

    async fn succeeds(&self) {
        self.store.pull(&self.reference, None).await.unwrap();
        assert!(blobs(&self.store.root()).contains(&self.layer));
    }

    /// Waits until the threads that wrote other blobs have noticed that nobody waits for them.
    async fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while fs::read_dir(self.store.root().join("content/ingest"))
            .unwrap()
            .count()
            > 0
        {
            assert!(Instant::now() < deadline, "the session stays");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Pulls what must fail, and looks that the layer is not there and nothing half-written is.
    async fn fails(&self) -> String {
        let error = self
            .store
            .pull(&self.reference, None)
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(self.store.store.list(), []);
        self.settle().await;
        assert!(!blobs(&self.store.root()).contains(&self.layer));
        self.store.store.collect().await.unwrap();
        assert_eq!(blobs(&self.store.root()), [""; 0], "what did arrive is collected");
        error
    }
}

#[tokio::test]
async fn broken_connections_are_resumed() {
    let fixture = Fixture::new(1 << 20).await;
    fixture.server.fault("blobs", Fault::CutAfter(100_000), 6);
    fixture.server.fault("blobs", Fault::EndAfter(50_000), 3);
    fixture.succeeds().await;
    assert!(
        fixture.server.requests(&fixture.layer) >= 9,
        "one request per broken connection"
    );
}

#[tokio::test]
async fn what_arrived_is_kept_for_the_next_time() {
    let fixture = Fixture::new(1 << 20).await;
    fixture.server.fault(&fixture.layer, Fault::CutAfter(700_000), 1);
    fixture.server.fault(&fixture.layer, Fault::CutAfter(0), 4);
    fixture.fails().await;
    assert_eq!(fs::metadata(fixture.partial()).unwrap().len(), 700_000);
    let rest = format!("{} bytes=700000-", fixture.layer);
    let before = fixture.server.requests(&rest);
    // Another process opens the store.
    let Fixture {
        store,
        server,
        layer,
        reference,
        _layout,
    } = fixture;
    drop(store.store);
    let reopened = ImageStore::open(&store.dir.path().join("root"), fast()).unwrap();
    pull(&reopened, &reference, None).await.unwrap();
    assert!(blobs(&store.dir.path().join("root")).contains(&layer));
    assert_eq!(server.requests(&rest), before + 1, "only the rest is fetched");
    assert_eq!(server.requests(&layer), 6);
    let partials = store.dir.path().join("root/content/partial");
    assert_eq!(fs::read_dir(partials).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_beginning_is_fetched_again() {
    for (size, fetched) in [(400_000, 2), (1 << 20, 1), (2 << 20, 1)] {
        let fixture = Fixture::new(1 << 20).await;
        // As after a loss of power.
        fs::write(fixture.partial(), vec![0; size]).unwrap();
        fixture.succeeds().await;
        assert_eq!(fixture.server.requests(&fixture.layer), fetched, "{size}");
        assert!(!fixture.partial().exists());
    }
}

#[tokio::test]
async fn registries_without_ranges_start_again() {
    let fixture = Fixture::new(1 << 20).await;
    fixture.server.fault("blobs", Fault::CutAfter(100_000), 2);
    fixture.server.fault("blobs", Fault::NoRanges, 100);
    fixture.succeeds().await;
}

#[tokio::test]
async fn connections_that_break_for_ever_are_given_up() {
    let fixture = Fixture::new(1 << 20).await;
    fixture.server.fault(&fixture.layer, Fault::CutAfter(70_000), 1);
    fixture
        .server
        .fault(&fixture.layer, Fault::CutAfter(0), usize::MAX);
    let error = fixture.fails().await;
    let start = format!(
        "registry {} broke off {} after 70000 of 1048576 bytes: ",
        fixture.server.host, fixture.layer
    );
    assert!(error.starts_with(&start), "{error}");
}

#[tokio::test]
async fn silence_ends_in_time() {
    let impatient = || Registries {
        read_timeout: Duration::from_millis(300),
        ..fast()
    };
    let fixture = Fixture::with(1 << 20, impatient()).await;
    fixture.server.fault(&fixture.layer, Fault::StallAfter(1000), 1);
    fixture
        .server
        .fault(&fixture.layer, Fault::StallAfter(0), usize::MAX);
    let start = Instant::now();
    let error = fixture.fails().await;
    assert!(error.contains("sent nothing for 0 seconds"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());

    let fixture = Fixture::with(1000, impatient()).await;
    fixture
        .server
        .fault("manifests", Fault::StallAfter(0), usize::MAX);
    let error = fixture.fails().await;
    assert_eq!(
        error,
        format!("registry {} sent nothing for 0 seconds", fixture.server.host)
    );
}

#[tokio::test]
async fn corrupt_blobs_are_refused() {
    let fixture = Fixture::new(100_000).await;
    fixture.server.fault(&fixture.layer, Fault::Corrupt, 1);
    let error = fixture.fails().await;
    assert!(
        error.starts_with(&format!(
            "content is corrupt: expected digest {}, got sha256:",
            fixture.layer
        )),
        "{error}"
    );
    fixture.server.fault(&fixture.layer, Fault::Append(b"more"), 1);
    let error = fixture.fails().await;
    assert_eq!(
        error,
        format!("content {} has 100001 bytes instead of 100000", fixture.layer)
    );
    fixture.server.fault("manifests", Fault::Corrupt, 1);
    assert!(fixture.fails().await.starts_with("content is corrupt"));
    fixture.succeeds().await;
}

#[tokio::test]
async fn passing_failures_are_tried_again() {
    let fixture = Fixture::new(1000).await;
    fixture
        .server
        .fault("manifests", Fault::Status("503 Service Unavailable", ""), 3);
    fixture.server.fault(
        "blobs",
        Fault::Status("429 Too Many Requests", "retry-after: 0\r\n"),
        3,
    );
    fixture.succeeds().await;

    let fixture = Fixture::new(1000).await;
    let slow_down = Fault::Status("429 Too Many Requests", "retry-after: 1\r\n");
    fixture.server.fault("manifests", slow_down, 1);
    let start = Instant::now();
    fixture.succeeds().await;
    assert!(
        start.elapsed() >= Duration::from_secs(1),
        "the registry asked for it"
    );

    let fixture = Fixture::new(1000).await;
    fixture.server.fault(
        "blobs",
        Fault::Status("500 Internal Server Error", ""),
        usize::MAX,
    );
    let error = fixture.fails().await;
    assert_eq!(
        error,
        format!(
            "registry {} answered 500 Internal Server Error",
            fixture.server.host
        )
    );
    fixture
        .server
        .fault("manifests", Fault::Status("403 Forbidden", ""), 1);
    let error = fixture.fails().await;
    assert!(
        error.contains("denied access to app: 403 Forbidden, no credentials found for host"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_digest_header_does_not_matter() {
    let fixture = Fixture::new(1000).await;
    fixture.server.leave_out_digest_header();
    fixture.succeeds().await;
}

#[tokio::test]
async fn tokens_are_gotten_and_renewed() {
    let fixture = Fixture::new(1 << 20).await;
    fixture.server.set_auth(Auth::Tokens {
        uses: 2,
        password: false,
    });
    fixture.server.fault("blobs", Fault::CutAfter(300_000), 2);
    fixture.succeeds().await;
    assert!(fixture.server.requests("/token") >= 2);
    assert!(fixture.server.requests("scope=repository") >= 2);
}

#[tokio::test]
async fn tokens_for_credentials() {
    let fixture = Fixture::new(1000).await;
    fixture.server.set_auth(Auth::Tokens {
        uses: 100,
        password: true,
    });
    let error = fixture.fails().await;
    let host = &fixture.server.host;
    assert_eq!(
        error,
        format!(
            "registry {host} denied access to app: 401 Unauthorized (wrong password), no credentials found for host {host}"
        )
    );
    let credentials = Credentials {
        host: host.clone(),
        user: "user".into(),
        secret: "secret".into(),
    };
    let store = Store::new(Registries {
        credentials: Some(credentials),
        ..fast()
    });
    store.pull(&fixture.reference, None).await.unwrap();
    assert_eq!(fixture.server.requests("/token"), 2, "one token is enough");
}

#[tokio::test]
async fn proxies_reach_what_has_no_address_here() {
    let fixture = Fixture::new(1000).await;
    let proxy = format!("http://{}", fixture.server.host);
    let reference: Reference = "registry.invalid/app:1".parse().unwrap();
    let through = Store::new(Registries {
        http_proxy: Some(proxy.clone()),
        ..fast()
    });
    through.pull(&reference, None).await.unwrap();
    let no_proxy = Some("example.com,*.invalid".to_owned());
    let around = Store::new(Registries {
        http_proxy: Some(proxy),
        no_proxy,
        ..fast()
    });
    let error = around.pull(&reference, None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("cannot reach registry registry.invalid: "),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pulls_at_the_same_time_share_blobs() {
    let fixture = Fixture::new(4 << 20).await;
    let pulls: Vec<_> = (0..8)
        .map(|_| {
            let (store, reference) = (fixture.store.store.clone(), fixture.reference.clone());
            tokio::spawn(async move { pull(&store, &reference, None).await.unwrap() })
        })
        .collect();
    for pull in pulls {
        pull.await.unwrap();
    }
    assert_eq!(
        fixture.server.requests("blobs"),
        2,
        "configuration and layer, once each"
    );
    assert_eq!(blobs(&fixture.store.root()).len(), 4);
    assert_eq!(fixture.store.store.collect().await.unwrap().digests.len(), 0);
}

#[tokio::test]
async fn a_pull_that_is_given_up_leaves_nothing_half_done() {
    let fixture = Fixture::new(1 << 20).await;
    fixture
        .server
        .fault(&fixture.layer, Fault::StallAfter(500_000), 1);
    let pulling = fixture.store.pull(&fixture.reference, None);
    let server = fixture.server.clone();
    let layer = fixture.layer.clone();
    let under_way = async {
        let partial = fixture.partial();
        let arrived = || fs::metadata(&partial).map_or(0, |metadata| metadata.len());
        while server.requests(&layer) == 0 || arrived() < 400_000 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        _ = pulling => panic!("the registry stalls"),
        () = under_way => {}
    }
    fixture.settle().await;
    assert!(!blobs(&fixture.store.root()).contains(&fixture.layer));
    fixture.succeeds().await;
}
