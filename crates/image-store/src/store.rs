//! The image store as a whole.

use std::collections::{HashMap, HashSet};
use std::fs::{File, TryLockError};
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_ipc::Progress;
use container_resource::commit::Commit;
use container_resource::image::ImageVariant;
use container_resource::{Descriptor, ImageDescription, ImageResource, Platform, Reference};
use oci_spec::image::Digest;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::archive::{self, Loaded};
use crate::arrival::{Follow, Supply};
use crate::content::{ContentStore, Ingest};
use crate::error::{IoContext, Result};
use crate::export::Export;
use crate::flight::Flights;
use crate::gc::{self, Collected};
use crate::graph::Reachable;
use crate::registry::{self, Access, Connection, Pull, Push, Registries, Sources};
use crate::snapshot::{Snapshot, Snapshots};
use crate::state::{Guard, References};
use crate::usage::{self, DiskUsage};
use crate::{Error, commit, graph, unpack};

/// How many pulls at a time are unpacked while they arrive.
const MAX_FOLLOWING: usize = 4;

/// What [`ImageStore::pull`] is to fetch.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// The image, normalised.
    pub reference: Reference,
    /// Only this platform; the index is kept whole all the same.
    pub platform: Option<Platform>,
    /// Whether the registry is spoken to over http.
    pub insecure: bool,
    /// How many blobs are fetched at the same time.
    pub concurrent_downloads: NonZeroUsize,
}

/// The images below an application root. Cheap to clone; one process at a time has it open.
#[derive(Debug, Clone)]
pub struct ImageStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    content: Arc<ContentStore>,
    references: References,
    snapshots: Snapshots,
    registries: Registries,
    fetching: Flights<Digest>,
    unpacking: Flights<Digest>,
    /// Who may unpack layers that are still arriving.
    following: Semaphore,
    /// Locked as long as the store is open.
    _lock: File,
}

impl ImageStore {
    /// Opens the store below `app_root`, which is made if it is not there, and removes what a crash left behind.
    /// `registries` says how registries are reached.
    ///
    /// # Errors
    ///
    /// Another process has it open, or the file system refuses.
    pub fn open(app_root: &Path, registries: Registries) -> Result<Self> {
        let content_root = app_root.join("content");
        std::fs::create_dir_all(&content_root).context("failed to create", &content_root)?;
        let lock = lock(&content_root.join("lock"), app_root)?;
        Ok(Self(Arc::new(Inner {
            content: ContentStore::open(&content_root)?,
            references: References::open(app_root.join("state.json"))?,
            snapshots: Snapshots::open(app_root.join("snapshots"))?,
            registries,
            fetching: Flights::default(),
            unpacking: Flights::default(),
            following: Semaphore::new(MAX_FOLLOWING),
            _lock: lock,
        })))
    }

    /// Every image, ordered by reference.
    pub fn list(&self) -> Vec<ImageDescription> {
        self.0.references.lock().list()
    }

    /// Gives the image `reference` the additional name `new_reference`, taking it from whatever had it.
    ///
    /// # Errors
    ///
    /// There is no such image.
    pub async fn tag(&self, reference: String, new_reference: String) -> Result<ImageDescription> {
        self.blocking(move |store, _| {
            let mut references = store.references.lock();
            let descriptor = references.get(&reference)?.clone();
            let image = ImageDescription {
                reference: new_reference,
                descriptor,
            };
            references.set(std::slice::from_ref(&image))?;
            Ok(image)
        })
        .await
    }

    /// Forgets the name `reference`. Contents stay until [`collect`](Self::collect).
    ///
    /// # Errors
    ///
    /// There is no such image.
    pub async fn delete(&self, reference: String) -> Result<()> {
        self.blocking(move |store, _| store.references.lock().remove(&reference))
            .await
    }

    /// Removes blobs and disks that no image and no running operation needs.
    ///
    /// # Errors
    ///
    /// The references were unreadable, so that it is not known what is needed.
    pub async fn collect(&self) -> Result<Collected> {
        self.blocking(|store, _| gc::collect(&store.content, &store.snapshots, &store.references.lock()))
            .await
    }

    /// Measures what images take of the disk, and what would come back if only the references in `active` stayed.
    ///
    /// # Errors
    ///
    /// The file system refuses.
    pub async fn disk_usage(&self, active: HashSet<String>) -> Result<DiskUsage> {
        self.blocking(move |store, _| {
            usage::measure(
                &store.content,
                &store.snapshots,
                &store.references.lock(),
                &active,
            )
        })
        .await
    }

    /// Takes in the images of the archive or layout `path`; they replace others of the same names. With `force`,
    /// members that could reach outside are skipped instead of failing the load.
    ///
    /// # Errors
    ///
    /// The archive is missing, damaged, incomplete or hostile; nothing is stored then.
    pub async fn load(&self, path: PathBuf, force: bool) -> Result<Loaded> {
        self.blocking(move |store, cancelled| {
            let ingest = store.content.ingest()?;
            let loaded = archive::load(&path, force, &ingest, cancelled)?;
            store.references.lock().set(&loaded.images)?;
            Ok(loaded)
        })
        .await
    }

    /// Makes an image of another one and of `layer` on top of it, a tar archive that is not compressed. It replaces
    /// another of the same name.
    ///
    /// # Errors
    ///
    /// The image below is not stored any more, or is damaged; `layer` cannot be read. Nothing is stored then.
    pub async fn commit(&self, request: Commit, layer: File) -> Result<ImageDescription> {
        self.blocking(move |store, cancelled| {
            let ingest = store.content.ingest()?;
            let image = commit::commit(request, layer, &ingest, cancelled)?;
            store.references.lock().set(std::slice::from_ref(&image))?;
            Ok(image)
        })
        .await
    }

    /// Writes images as a tar archive of an OCI layout to `output`: everything that is stored of them, or one platform.
    ///
    /// # Errors
    ///
    /// An image is not the one that is stored under its name, or nothing of it is there, in which case nothing is
    /// written; `output` refuses.
    pub async fn save(
        &self,
        images: Vec<ImageDescription>,
        platform: Option<Platform>,
        output: File,
    ) -> Result<()> {
        self.blocking(move |store, cancelled| {
            // Keeps what is written from garbage collection, even when an image is deleted meanwhile.
            let session = store.content.ingest()?;
            let export = |image| store.export(image, platform.as_ref(), &session);
            let exports = images.iter().map(export).collect::<Result<Vec<_>>>()?;
            archive::save(&store.content, &images, &exports, output, cancelled)
        })
        .await
    }

    /// Fetches an image from its registry; it replaces another of the same name. What is stored already is not fetched
    /// again, and what another pull is fetching is waited for. The disks of its Linux variants are made meanwhile, as far as
    /// that can be done: what keeps a disk from being made is told by [`unpack`](Self::unpack).
    ///
    /// # Errors
    ///
    /// The registry cannot be reached, refuses, does not have the image, is not made for the platform, or sends something
    /// else than it promised. Complete blobs stay for the next try, until [`collect`](Self::collect).
    pub async fn pull(&self, request: PullRequest, progress: Progress) -> Result<ImageDescription> {
        let sources = Sources::new(&self.0.registries, &request.reference, request.insecure)?;
        let ingest = Arc::new(self.0.content.ingest()?);
        let pull = Pull {
            reference: request.reference,
            platform: request.platform,
            concurrent: request.concurrent_downloads.get(),
        };
        let supply = Arc::new(Supply::default());
        let _guard = supply.cancelled.clone().drop_guard();
        let (found, manifests) = oneshot::channel();
        let pulling = async {
            let pulled = registry::pull(&sources, &pull, &ingest, &self.0.fetching, found, &progress).await;
            match pulled {
                Ok(_) => supply.complete(),
                Err(_) => supply.cancelled.cancel(),
            }
            pulled
        };
        let unpacking = self.unpack_arriving(manifests, &ingest, &supply);
        let (descriptor, ()) = tokio::join!(pulling, unpacking);
        let descriptor = descriptor?;
        let image = ImageDescription {
            reference: pull.reference.to_string(),
            descriptor,
        };
        self.blocking(move |store, _| {
            store.references.lock().set(std::slice::from_ref(&image))?;
            // Until here the blobs were kept by the session, from here on by the reference.
            drop(ingest);
            Ok(image)
        })
        .await
    }

    /// Uploads the image `reference` to its registry: everything that is stored of it, or one platform. What the registry
    /// has already is not sent.
    ///
    /// # Errors
    ///
    /// There is no such image, or nothing of it is stored; the registry cannot be reached or refuses.
    pub async fn push(
        &self,
        reference: Reference,
        platform: Option<Platform>,
        insecure: bool,
        progress: Progress,
    ) -> Result<()> {
        let connection = Connection::new(&self.0.registries, &reference, insecure, Access::Push)?;
        let name = reference.to_string();
        let (push, _session) = self
            .blocking(move |store, _| {
                let session = store.content.ingest()?;
                let references = store.references.lock();
                let image = ImageDescription {
                    descriptor: references.get(&name)?.clone(),
                    reference: name,
                };
                let others = references.list();
                drop(references);
                let export = store.export(&image, platform.as_ref(), &session)?;
                let push = Push {
                    sources: store.mount_sources(&reference, others)?,
                    export: export.without_made_index()?,
                    reference,
                };
                Ok((push, session))
            })
            .await?;
        registry::push(connection, &push, &self.0.content, &progress).await
    }

    /// Makes the disks of manifests whose layers are arriving. What fails here is left to [`unpack`](Self::unpack).
    async fn unpack_arriving(
        &self,
        manifests: oneshot::Receiver<Vec<Descriptor>>,
        ingest: &Arc<Ingest>,
        supply: &Arc<Supply>,
    ) {
        let Ok(manifests) = manifests.await else {
            return;
        };
        // Whoever waits for a layer keeps a thread, of which those who bring it in must find one.
        let Ok(_permit) = self.0.following.try_acquire() else {
            return;
        };
        for descriptor in manifests {
            if let Err(error) = self.unpack_arriving_variant(&descriptor, ingest, supply).await {
                tracing::debug!("not unpacked while it arrived: {}: {error}", descriptor.digest());
            }
        }
    }

    async fn unpack_arriving_variant(
        &self,
        descriptor: &Descriptor,
        ingest: &Arc<Ingest>,
        supply: &Arc<Supply>,
    ) -> Result<()> {
        let manifest = graph::manifest(&*self.0.content, descriptor.digest())?;
        let (waiting, config) = (Arc::clone(supply), manifest.config().digest().clone());
        let configuration = self
            .blocking(move |store, _| {
                let mut config_bytes = Follow::new(&store.content, &waiting, &config);
                io::copy(&mut config_bytes, &mut io::sink()).context("failed to receive", config.as_ref())?;
                graph::configuration(&*store.content, &config)
            })
            .await?;
        if graph::platform_of(&configuration).os != "linux" {
            return Ok(());
        }
        let chain_id = graph::chain_id(&configuration);
        let flight = self.0.unpacking.enter(chain_id.clone()).await;
        let (ingest, supply) = (Arc::clone(ingest), Arc::clone(supply));
        self.blocking(move |store, _| {
            // Layers are kept by the session, and the work by the flight, even when its caller does not wait any more.
            let _kept = (ingest, flight);
            if store.snapshots.get(&chain_id)?.is_none() {
                unpack::unpack_arriving(
                    &store.content,
                    &store.snapshots,
                    &manifest,
                    &configuration,
                    &supply,
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Makes the disk of an image for `platform`, or of every Linux variant that is stored.
    ///
    /// # Errors
    ///
    /// The image is not the one that is stored under its name, has no such platform, or cannot be unpacked.
    pub async fn unpack(
        &self,
        image: ImageDescription,
        platform: Option<Platform>,
        progress: Progress,
    ) -> Result<Vec<Snapshot>> {
        let variants = self
            .blocking(move |store, _| store.variants_to_unpack(&image, platform))
            .await?;
        let mut snapshots = Vec::new();
        for descriptor in variants {
            snapshots.push(self.unpack_variant(descriptor, progress.clone()).await?);
        }
        Ok(snapshots)
    }

    async fn unpack_variant(&self, descriptor: Descriptor, progress: Progress) -> Result<Snapshot> {
        let manifest = graph::manifest(&*self.0.content, descriptor.digest())?;
        let configuration = graph::configuration(&*self.0.content, manifest.config().digest())?;
        let chain_id = graph::chain_id(&configuration);
        let flight = self.0.unpacking.enter(chain_id.clone()).await;
        self.blocking(move |store, cancelled| {
            // Kept until the work ends, even when its caller does not wait for it any more.
            let _flight = flight;
            match store.snapshots.get(&chain_id)? {
                Some(snapshot) => Ok(snapshot),
                None => unpack::unpack(
                    &store.content,
                    &store.snapshots,
                    &manifest,
                    &configuration,
                    &progress,
                    cancelled,
                ),
            }
        })
        .await
    }

    /// The disk of an unpacked image.
    ///
    /// # Errors
    ///
    /// The image is not the one that is stored under its name, or has not been unpacked for the platform.
    pub fn snapshot(&self, image: &ImageDescription, platform: &Platform) -> Result<Snapshot> {
        let variant = self.variant(image, platform)?;
        let snapshot = self.0.snapshots.get(&graph::chain_id(&variant.config))?;
        snapshot.ok_or_else(|| Error::SnapshotNotFound {
            reference: image.reference.clone(),
            platform: platform.clone(),
        })
    }

    /// The image's variant for `platform`.
    ///
    /// # Errors
    ///
    /// The image is not the one that is stored under its name, is not made for the platform, or its content for the
    /// platform is not stored.
    pub fn variant(&self, image: &ImageDescription, platform: &Platform) -> Result<ImageVariant> {
        self.0.check(image)?;
        let descriptor = graph::select(&*self.0.content, &image.descriptor, platform)?;
        self.0.read_variant(&descriptor, platform.clone())
    }

    /// What users see of an image: its variants whose manifest and configuration are stored.
    ///
    /// # Errors
    ///
    /// The image is not the one that is stored under its name, or its index is damaged.
    pub fn inspect(&self, image: &ImageDescription) -> Result<ImageResource> {
        self.0.check(image)?;
        let mut variants = Vec::new();
        for descriptor in graph::manifests(&*self.0.content, &image.descriptor)? {
            let Some(platform) = graph::platform(&*self.0.content, &descriptor)? else {
                continue;
            };
            match self.0.read_variant(&descriptor, platform) {
                Ok(variant) => variants.push(variant),
                Err(Error::BlobNotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(ImageResource::new(
            image.reference.clone(),
            image.descriptor.clone(),
            variants,
        ))
    }

    /// The file of a blob.
    ///
    /// # Errors
    ///
    /// It is not stored.
    pub fn content_path(&self, digest: &Digest) -> Result<PathBuf> {
        match self.0.content.size(digest)? {
            Some(_) => self.0.content.path(digest),
            None => Err(Error::BlobNotFound(digest.clone())),
        }
    }

    /// Runs `work` where it may block. When the caller stops waiting, `work` is told through its token.
    async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Inner, &CancellationToken) -> Result<T> + Send + 'static,
    {
        let cancelled = CancellationToken::new();
        let _guard = cancelled.clone().drop_guard();
        let inner = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&inner, &cancelled)).await {
            Ok(result) => result,
            Err(failure) => match failure.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(Error::Cancelled),
            },
        }
    }
}

impl Inner {
    /// Refuses a description that is out of date.
    fn check(&self, image: &ImageDescription) -> Result<()> {
        check(&self.references.lock(), image)
    }

    /// Puts together what is handed on of an image, with the references locked, so that none of it is collected
    /// before the session has a lease on it.
    fn export(
        &self,
        image: &ImageDescription,
        platform: Option<&Platform>,
        session: &Ingest,
    ) -> Result<Export> {
        let references = self.references.lock();
        check(&references, image)?;
        Export::new(&self.content, session, image, platform)
    }

    /// In which other repository of the same registry blobs are likely to be, going by the images that are stored here.
    fn mount_sources(
        &self,
        target: &Reference,
        images: Vec<ImageDescription>,
    ) -> Result<HashMap<Digest, String>> {
        let mut sources = HashMap::new();
        for image in images {
            let Ok(reference) = image.reference.parse::<Reference>() else {
                continue;
            };
            if reference.host() != target.host() || reference.path() == target.path() {
                continue;
            }
            let mut reachable = Reachable::default();
            reachable.add(&*self.content, &image.descriptor)?;
            let blobs = reachable.blobs.into_iter();
            sources.extend(blobs.map(|blob| (blob, reference.path().to_owned())));
        }
        Ok(sources)
    }

    fn read_variant(&self, descriptor: &Descriptor, platform: Platform) -> Result<ImageVariant> {
        let manifest = graph::manifest(&*self.content, descriptor.digest())?;
        let config = graph::configuration(&*self.content, manifest.config().digest())?;
        let parts = manifest.layers().iter().chain([descriptor, manifest.config()]);
        Ok(ImageVariant {
            platform,
            digest: descriptor.digest().to_string(),
            size: parts.map(Descriptor::size).fold(0, u64::saturating_add),
            config,
        })
    }

    fn variants_to_unpack(
        &self,
        image: &ImageDescription,
        platform: Option<Platform>,
    ) -> Result<Vec<Descriptor>> {
        self.check(image)?;
        if let Some(platform) = platform {
            return Ok(vec![graph::select(&*self.content, &image.descriptor, &platform)?]);
        }
        let mut variants = Vec::new();
        for descriptor in graph::manifests(&*self.content, &image.descriptor)? {
            match graph::platform(&*self.content, &descriptor)? {
                _ if self.content.size(descriptor.digest())?.is_none() => {}
                Some(platform) if platform.os == "linux" => variants.push(descriptor),
                Some(platform) => {
                    tracing::warn!("not unpacking {} for {platform}", image.reference);
                }
                None => {}
            }
        }
        Ok(variants)
    }
}

fn check(references: &Guard<'_>, image: &ImageDescription) -> Result<()> {
    let expected = references.get(&image.reference)?.digest();
    let actual = image.descriptor.digest();
    if expected != actual {
        return Err(Error::DescriptorMismatch {
            expected: expected.clone(),
            actual: actual.clone(),
        });
    }
    Ok(())
}

fn lock(path: &Path, app_root: &Path) -> Result<File> {
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .context("failed to open", path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(app_root.to_owned())),
        Err(TryLockError::Error(error)) => Err(error).context("failed to lock", path),
    }
}
