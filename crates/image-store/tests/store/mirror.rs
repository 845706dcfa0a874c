//! Mirrors, good ones and bad ones.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use container_image_store::{Mirror, Registries};
use container_resource::Reference;

use crate::pull::Store;
use crate::server::{Auth, Fault, Server};
use crate::support::{Compression, Layout, blobs, digest};

/// An image with a layer of 1 MiB in two registries.
struct Fixture {
    own: Server,
    mirror: Server,
    layer: String,
    _layout: tempfile::TempDir,
}

fn layout(dir: &Path) -> (Layout, String) {
    let mut layout = Layout::new(dir);
    let layer: Vec<u8> = (0..1u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let manifest = layout.manifest("linux/amd64", std::slice::from_ref(&layer), Compression::None);
    layout.add("app:1", manifest);
    (layout, digest(&layer))
}

impl Fixture {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (layout, layer) = layout(dir.path());
        Self {
            own: Server::start(&layout).await,
            mirror: Server::start(&layout).await,
            layer,
            _layout: dir,
        }
    }

    /// A mirror at `host`.
    fn at(host: &str, prefix: &str) -> Mirror {
        Mirror {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            insecure: true,
        }
    }

    fn store(&self, mirrors: Vec<Mirror>) -> Store {
        Store::new(Registries {
            mirrors: HashMap::from([(self.own.host.clone(), mirrors)]),
            retry_delay: Duration::from_millis(1),
            ..Registries::default()
        })
    }

    async fn pull(&self, mirrors: Vec<Mirror>) {
        let store = self.store(mirrors);
        let reference: Reference = format!("{}/app:1", self.own.host).parse().unwrap();
        let image = store.pull(&reference, None).await.unwrap();
        assert_eq!(image.reference, reference.to_string());
        assert!(blobs(&store.root()).contains(&self.layer));
    }
}

#[tokio::test]
async fn a_mirror_spares_the_registry() {
    let fixture = Fixture::new().await;
    fixture.mirror.set_auth(Auth::Tokens {
        uses: 100,
        password: false,
    });
    fixture.pull(vec![Fixture::at(&fixture.mirror.host, "")]).await;
    assert_eq!(fixture.own.requests(""), 0);
    assert_eq!(fixture.mirror.requests(&fixture.layer), 1);
}

#[tokio::test]
async fn mirrors_are_asked_in_order_and_only_until_they_fail() {
    let fixture = Fixture::new().await;
    let nobody = Fixture::at("127.0.0.1:1", "");
    let elsewhere = Fixture::at(&fixture.mirror.host, "proxy/hub");
    fixture.pull(vec![nobody, elsewhere]).await;
    assert_eq!(fixture.mirror.requests("/v2/proxy/hub/app/manifests/1"), 1);
    assert_eq!(
        fixture.mirror.requests(""),
        1,
        "what it does not have is not asked for again"
    );
    assert_eq!(fixture.own.requests("blobs"), 2);

    let fixture = Fixture::new().await;
    fixture.mirror.fault(
        "manifests",
        Fault::Status("500 Internal Server Error", ""),
        usize::MAX,
    );
    fixture.pull(vec![Fixture::at(&fixture.mirror.host, "")]).await;
    assert_eq!(fixture.mirror.requests("blobs"), 0);
}

#[tokio::test]
async fn the_registry_goes_on_where_a_mirror_stopped() {
    let fixture = Fixture::new().await;
    fixture.mirror.fault(&fixture.layer, Fault::CutAfter(600_000), 1);
    fixture
        .mirror
        .fault(&fixture.layer, Fault::CutAfter(0), usize::MAX);
    fixture.pull(vec![Fixture::at(&fixture.mirror.host, "")]).await;
    let rest = format!("{} bytes=600000-", fixture.layer);
    assert_eq!(
        (fixture.own.requests(&fixture.layer), fixture.own.requests(&rest)),
        (1, 1)
    );
    assert_eq!(fixture.own.requests("manifests"), 0);
}

#[tokio::test]
async fn a_lying_mirror_is_found_out() {
    for path in ["manifests", "blobs"] {
        let fixture = Fixture::new().await;
        fixture.mirror.fault(path, Fault::Corrupt, usize::MAX);
        fixture.pull(vec![Fixture::at(&fixture.mirror.host, "")]).await;
        assert!(fixture.own.requests("blobs") > 0, "{path}");
    }
}

#[tokio::test]
async fn without_any_the_registry_says_why() {
    let fixture = Fixture::new().await;
    let store = fixture.store(vec![Fixture::at(&fixture.mirror.host, "")]);
    let reference: Reference = format!("{}/app:2", fixture.own.host).parse().unwrap();
    let error = store.pull(&reference, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!("{reference} not found in registry {}", fixture.own.host)
    );
}
