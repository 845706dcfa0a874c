//! One handler per route.

use std::future::{Future, ready};
use std::num::NonZeroUsize;

use container_client::images::*;
use container_image_store::{Error as StoreError, ImageStore, PullRequest, Snapshot};
use container_ipc::{Error, Reply, Request, Route, Router};
use container_resource::filesystem::{CacheMode, SyncMode};
use container_resource::{Filesystem, FilesystemType, ImageDescription, Reference};

/// The routes of the image service, answered out of `store`.
pub fn router(store: &ImageStore) -> Router {
    let routes = Routes {
        store: store.clone(),
        router: Router::new(),
    };
    routes
        .at_once::<ImageList>(|store, ()| Ok(store.list()))
        .at_once::<ImageInspect>(|store, images| images.iter().map(|image| store.inspect(image)).collect())
        .at_once::<ImageGetVariant>(|store, request| {
            store.variant(&request.image_description, &request.oci_platform)
        })
        .at_once::<SnapshotGet>(|store, request| {
            store
                .snapshot(&request.image_description, &request.oci_platform)
                .map(filesystem)
        })
        .answered::<ContentGet, _>(|store, request| ready(content_get(&store, &request.payload)))
        .answered::<ImagePull, _>(pull)
        .answered::<ImagePush, _>(push)
        .answered::<ImageTag, _>(|store, request| async move {
            let ImageTagRequest {
                image_reference,
                image_new_reference,
            } = request.payload;
            require(&image_reference, "missing image reference")?;
            require(&image_new_reference, "missing new image reference")?;
            Ok(store.tag(image_reference, image_new_reference).await?)
        })
        .answered::<ImageDelete, _>(|store, request| delete(store, request.payload))
        .answered::<ImageLoad, _>(|store, request| async move {
            let ImageLoadRequest {
                file_path,
                force_load,
            } = request.payload;
            let loaded = store.load(file_path, force_load).await?;
            Ok(ImageLoadReply {
                image_descriptions: loaded.images,
                rejected_members: loaded.rejected,
            })
        })
        .answered::<ImageCommit, _>(|store, mut request| async move {
            let layer = request.fds.pop();
            let layer = layer.ok_or_else(|| Error::invalid_argument("missing layer"))?;
            Ok(store.commit(request.payload, layer.into()).await?)
        })
        .answered::<ImageSave, _>(save)
        .answered::<ImageUnpack, _>(|store, request| async move {
            let ImagePlatformsRequest {
                image_description,
                oci_platform,
            } = request.payload;
            store
                .unpack(image_description, oci_platform, request.progress)
                .await?;
            Ok(())
        })
        .answered::<ImageCleanupOrphanedBlobs, _>(|store, _| async move {
            let collected = store.collect().await?;
            Ok(ContentRemoved {
                digests: collected.digests.iter().map(ToString::to_string).collect(),
                image_size: collected.bytes,
            })
        })
        .answered::<ImageDiskUsage, _>(|store, request| async move {
            let active = request.payload.active_image_references.into_iter().collect();
            let usage = store.disk_usage(active).await?;
            Ok(ImageDiskUsageReply {
                total_count: usage.images as u64,
                active_count: usage.active as u64,
                image_size: usage.size,
                reclaimable_size: usage.reclaimable,
            })
        })
        .router
}

/// A router that is being filled with handlers that share a store.
struct Routes {
    store: ImageStore,
    router: Router,
}

impl Routes {
    /// Answers `R` out of what is on disk, without waiting for anything.
    fn at_once<R: Route>(
        self,
        handler: impl Fn(&ImageStore, R::Request) -> Result<R::Response, StoreError> + Send + Sync + 'static,
    ) -> Self {
        self.answered::<R, _>(move |store, request| {
            ready(handler(&store, request.payload).map_err(Error::from))
        })
    }

    /// Answers `R` with a future.
    fn answered<R: Route, Fut>(
        self,
        handler: impl Fn(ImageStore, Request<R::Request>) -> Fut + Send + Sync + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<R::Response, Error>> + Send + 'static,
    {
        let Self { store, router } = self;
        let shared = store.clone();
        let router = router.route::<R, _, _>(move |request| {
            let answer = handler(shared.clone(), request);
            async move { answer.await.map(Reply::from) }
        });
        Self { store, router }
    }
}

async fn pull(store: ImageStore, request: Request<ImagePullRequest>) -> Result<ImageDescription, Error> {
    let ImagePullRequest {
        image_reference,
        oci_platform,
        insecure_flag,
        max_concurrent_downloads,
    } = request.payload;
    require(&image_reference, "missing image reference")?;
    let reference: Reference = image_reference.parse().map_err(StoreError::from)?;
    if reference.host().is_none() {
        return Err(Error::invalid_argument(format!(
            "no host specified in image reference: {reference}"
        )));
    }
    let concurrent_downloads = usize::try_from(max_concurrent_downloads)
        .ok()
        .and_then(NonZeroUsize::new);
    let concurrent_downloads = concurrent_downloads.ok_or_else(|| {
        let text = "maximum number of concurrent downloads must be greater than 0";
        Error::invalid_argument(format!("{text}, got {max_concurrent_downloads}"))
    })?;
    let pull = PullRequest {
        reference: reference.normalized(),
        platform: oci_platform,
        insecure: insecure_flag,
        concurrent_downloads,
    };
    Ok(store.pull(pull, request.progress).await?)
}

async fn push(store: ImageStore, request: Request<ImagePushRequest>) -> Result<(), Error> {
    let ImagePushRequest {
        image_reference,
        oci_platform,
        insecure_flag,
    } = request.payload;
    require(&image_reference, "missing image reference")?;
    let reference: Reference = image_reference.parse().map_err(StoreError::from)?;
    store
        .push(reference, oci_platform, insecure_flag, request.progress)
        .await?;
    Ok(())
}

async fn save(store: ImageStore, mut request: Request<ImageSaveRequest>) -> Result<(), Error> {
    let output = request.fds.pop();
    let output = output.ok_or_else(|| Error::invalid_argument("missing output file"))?;
    let ImageSaveRequest {
        image_descriptions,
        oci_platform,
    } = request.payload;
    if image_descriptions.is_empty() {
        return Err(Error::invalid_argument("missing image description"));
    }
    Ok(store
        .save(image_descriptions, oci_platform, output.into())
        .await?)
}

async fn delete(store: ImageStore, request: ImageDeleteRequest) -> Result<(), Error> {
    require(&request.image_reference, "missing image reference")?;
    store.delete(request.image_reference).await?;
    if request.garbage_collect {
        match store.collect().await {
            // The image is gone; that its blobs must stay for now is not the caller's failure.
            Err(error @ StoreError::ReferencesSetAside(_)) => tracing::warn!("{error}"),
            collected => {
                collected?;
            }
        }
    }
    Ok(())
}

fn content_get(store: &ImageStore, request: &ContentGetRequest) -> Result<ContentGetReply, Error> {
    let digest = request
        .digest
        .parse()
        .map_err(|error| Error::invalid_argument(format!("invalid digest {}: {error}", request.digest)))?;
    Ok(ContentGetReply {
        content_path: store.content_path(&digest)?,
    })
}

fn filesystem(snapshot: Snapshot) -> Filesystem {
    Filesystem {
        kind: FilesystemType::Block {
            format: "erofs".to_owned(),
            cache: CacheMode::On {},
            sync: SyncMode::Fsync {},
        },
        source: snapshot.disk.display().to_string(),
        destination: "/".to_owned(),
        options: vec!["ro".to_owned()],
    }
}

fn require(value: &str, otherwise: &str) -> Result<(), Error> {
    if value.is_empty() {
        Err(Error::invalid_argument(otherwise))
    } else {
        Ok(())
    }
}
