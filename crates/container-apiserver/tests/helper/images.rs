//! An image service that has every image, and the same disk for all of them.

use container_client::images::{ImageGetVariant, ImageList, ImageUnpack, SnapshotGet};
use container_client::services;
use container_config::Roots;
use container_ipc::{Endpoint, Error, Listener, Router};
use container_resource::filesystem::{CacheMode, SyncMode};
use container_resource::image::ImageVariant;
use container_resource::{Filesystem, FilesystemType, ImageDescription};
use tokio_util::sync::CancellationToken;

pub(crate) async fn serve(roots: &Roots) -> anyhow::Result<()> {
    let disk = roots.app.join("disk.erofs");
    std::fs::write(&disk, "disk")?;
    std::fs::write(roots.app.join("images.pid"), std::process::id().to_string())?;
    let init: ImageDescription = serde_json::from_str(&format!(
        r#"{{"reference":"vminit:latest","descriptor":{{"mediaType":"application/vnd.oci.image.index.v1+json",
            "digest":"sha256:{}","size":1}}}}"#,
        "0".repeat(64)
    ))?;
    let router = Router::new()
        .route::<ImageList, _, _>(move |_| {
            let init = init.clone();
            async move { Ok(vec![init].into()) }
        })
        .route::<ImageGetVariant, _, _>(|request| async move {
            let config = serde_json::from_str(
                r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#,
            );
            let config = config.map_err(|error| Error::internal(error.to_string()))?;
            let platform = request.payload.oci_platform;
            Ok(ImageVariant {
                platform,
                digest: format!("sha256:{}", "1".repeat(64)),
                size: 1,
                config,
            }
            .into())
        })
        .route::<ImageUnpack, _, _>(|_| async { Ok(().into()) })
        .route::<SnapshotGet, _, _>(move |request| {
            let source = disk.display().to_string();
            async move {
                if request.payload.image_description.reference == "missing" {
                    return Err(Error::not_found("image with reference missing"));
                }
                let kind = FilesystemType::Block {
                    format: "erofs".to_owned(),
                    cache: CacheMode::On {},
                    sync: SyncMode::Nosync {},
                };
                Ok(Filesystem {
                    kind,
                    source,
                    destination: "/".to_owned(),
                    options: vec![],
                }
                .into())
            }
        });
    let endpoint = Endpoint::new(&container_ipc::runtime_dir(&roots.app), &services::images());
    container_ipc::serve(Listener::bind(&endpoint)?, router, CancellationToken::new()).await;
    Ok(())
}
