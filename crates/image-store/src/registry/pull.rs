//! Pulling an image: its index, the manifests that are wanted, and their blobs.

use std::collections::HashSet;
use std::sync::Arc;

use container_ipc::{Progress, ProgressEvent};
use container_resource::{Platform, Reference};
use futures_util::stream::{self, TryStreamExt};
use oci_spec::image::{Descriptor, Digest};
use tokio::sync::oneshot;

use super::blob::Flight;
use super::error::RegistryError;
use super::manifest::Manifest;
use super::mirror::Sources;
use crate::content::Ingest;
use crate::error::{Error, Result};
use crate::flight::Flights;
use crate::graph::{self, Kind};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 4;

/// What is to be pulled.
#[derive(Debug, Clone)]
pub(crate) struct Pull {
    /// The image, normalised.
    pub(crate) reference: Reference,
    /// Only this platform.
    pub(crate) platform: Option<Platform>,
    /// How many blobs are fetched at the same time.
    pub(crate) concurrent: usize,
}

/// Where it goes.
#[derive(Debug)]
struct Puller<'a> {
    sources: &'a Sources,
    ingest: &'a Arc<Ingest>,
    fetching: &'a Flights<Digest>,
    progress: &'a Progress,
    name: String,
    concurrent: usize,
}

/// Pulls an image; the answer is its index. All that belongs to it is stored then, and kept from garbage collection by
/// `ingest`. `found` gets the manifests as soon as they are stored, before the blobs are.
pub(crate) async fn pull(
    sources: &Sources,
    pull: &Pull,
    ingest: &Arc<Ingest>,
    fetching: &Flights<Digest>,
    found: oneshot::Sender<Vec<Descriptor>>,
    progress: &Progress,
) -> Result<Descriptor> {
    let puller = Puller {
        sources,
        ingest,
        fetching,
        progress,
        name: pull.reference.to_string(),
        concurrent: pull.concurrent,
    };
    let target = pull
        .reference
        .digest()
        .or(pull.reference.tag())
        .unwrap_or("latest");
    let root = puller.document(target).await?;
    puller.store(&root.bytes).await?;
    let mut manifests = Vec::new();
    puller
        .wanted(&root.descriptor, pull.platform.as_ref(), &mut manifests)
        .await?;
    // It may be that nobody wants to know.
    let _ = found.send(manifests.clone());
    puller.blobs(&manifests).await?;
    if graph::kind(root.descriptor.media_type()) == Kind::Index {
        return Ok(root.descriptor);
    }
    puller.wrap(&root.descriptor, pull.platform.as_ref()).await
}

impl Puller<'_> {
    /// Finds the manifests below `root` that are wanted, and stores them and the indexes on the way.
    async fn wanted(
        &self,
        root: &Descriptor,
        platform: Option<&Platform>,
        manifests: &mut Vec<Descriptor>,
    ) -> Result<()> {
        let mut level = vec![root.clone()];
        // A few indexes that list each other many times over would lead to more entries than there is memory.
        let mut seen = HashSet::from([root.digest().clone()]);
        for _ in 0..=MAX_DEPTH {
            let mut indexes = Vec::new();
            for descriptor in level {
                match graph::kind(descriptor.media_type()) {
                    Kind::Index => indexes.push(graph::index(&**self.ingest.store(), descriptor.digest())?),
                    _ => manifests.push(descriptor),
                }
            }
            if indexes.is_empty() {
                return match platform {
                    Some(platform) if manifests.is_empty() => {
                        Err(Error::UnsupportedPlatform(platform.clone()))
                    }
                    _ => Ok(()),
                };
            }
            // An entry that does not tell its platform has to be looked at.
            let entries = indexes.iter().flat_map(|index| index.manifests());
            let fits = |entry: &&Descriptor| match (platform, entry.platform()) {
                (Some(wanted), Some(offered)) => *wanted == Platform::from(offered),
                _ => true,
            };
            let wanted = entries
                .filter(fits)
                .filter(|entry| graph::kind(entry.media_type()) != Kind::Other);
            level = wanted
                .filter(|entry| seen.insert(entry.digest().clone()))
                .cloned()
                .collect();
            stream::iter(level.clone().into_iter().map(Ok))
                .try_for_each_concurrent(
                    self.concurrent,
                    |entry| async move { self.manifest(&entry).await },
                )
                .await?;
        }
        let reason = format!("indexes that are nested too deeply for {}", self.name);
        Err(RegistryError::Malformed {
            host: self.sources.own().host.clone(),
            reason,
        }
        .into())
    }

    /// Stores a manifest or index that an index lists.
    async fn manifest(&self, entry: &Descriptor) -> Result<()> {
        let _flight = self.fetching.enter(entry.digest().clone()).await;
        if self.ingest.holds(entry.digest(), Some(entry.size()))? {
            return Ok(());
        }
        let manifest = self.document(entry.digest().as_ref()).await?;
        self.store(&manifest.bytes).await.map(|_| ())
    }

    /// Gets a manifest or index from the first that has it.
    async fn document(&self, target: &str) -> Result<Manifest> {
        for (place, mirror) in self.sources.mirrors() {
            match mirror.manifest(target, &self.name).await {
                Err(error) if self.sources.pass_over(place, &error) => {}
                answered => return answered,
            }
        }
        self.sources.own().manifest(target, &self.name).await
    }

    /// Fetches configurations and layers.
    async fn blobs(&self, manifests: &[Descriptor]) -> Result<()> {
        let mut seen = HashSet::new();
        let mut blobs = Vec::new();
        for descriptor in manifests {
            let manifest = graph::manifest(&**self.ingest.store(), descriptor.digest())?;
            let parts = std::iter::once(manifest.config()).chain(manifest.layers());
            blobs.extend(parts.filter(|blob| seen.insert(blob.digest().clone())).cloned());
        }
        let size: u64 = blobs.iter().map(Descriptor::size).fold(0, u64::saturating_add);
        self.progress.send(ProgressEvent {
            items_name: Some("blobs".to_owned()),
            add_total_items: i64::try_from(blobs.len()).ok(),
            add_total_size: i64::try_from(size).ok(),
            ..ProgressEvent::default()
        });
        stream::iter(blobs.into_iter().map(Ok))
            .try_for_each_concurrent(self.concurrent, |blob| async move { self.blob(&blob).await })
            .await
    }

    async fn blob(&self, blob: &Descriptor) -> Result<()> {
        let flight = Arc::new(self.fetching.enter(blob.digest().clone()).await);
        if self.ingest.holds(blob.digest(), Some(blob.size()))? {
            let add_size = i64::try_from(blob.size()).ok();
            self.progress.send(ProgressEvent {
                add_size,
                ..ProgressEvent::default()
            });
        } else {
            match self.contents(blob, &flight).await {
                Err(Error::Registry(RegistryError::NotFound { .. }))
                    if graph::is_foreign(blob.media_type()) =>
                {
                    tracing::warn!(
                        "{} does not hand on layer {}",
                        self.sources.own().host,
                        blob.digest()
                    );
                }
                fetched => fetched?,
            }
        }
        self.progress.send(ProgressEvent {
            add_items: Some(1),
            ..ProgressEvent::default()
        });
        Ok(())
    }

    /// Gets a blob from the first that has it, each going on where the last one ended.
    async fn contents(&self, blob: &Descriptor, flight: &Flight) -> Result<()> {
        for (place, mirror) in self.sources.mirrors() {
            match mirror.blob(blob, self.ingest, flight, self.progress).await {
                Err(error) if self.sources.pass_over(place, &error) => {}
                answered => return answered,
            }
        }
        self.sources
            .own()
            .blob(blob, self.ingest, flight, self.progress)
            .await
    }

    /// Puts an index around the single manifest that the image is.
    async fn wrap(&self, manifest: &Descriptor, wanted: Option<&Platform>) -> Result<Descriptor> {
        let platform =
            graph::platform(&**self.ingest.store(), manifest)?.ok_or_else(|| Error::Malformed {
                kind: "image manifest",
                digest: manifest.digest().clone(),
                reason: "it does not tell its platform".to_owned(),
            })?;
        if let Some(wanted) = wanted.filter(|wanted| **wanted != platform) {
            return Err(Error::UnsupportedPlatform(wanted.clone()));
        }
        let bytes = graph::wrap(manifest, &platform)?;
        let digest = self.store(&bytes).await?;
        Ok(graph::index_descriptor(digest, bytes.len(), None))
    }

    /// Stores a document, where it may block.
    async fn store(&self, bytes: &[u8]) -> Result<Digest> {
        let (ingest, bytes) = (Arc::clone(self.ingest), bytes.to_vec());
        tokio::task::spawn_blocking(move || ingest.add(&bytes))
            .await
            .map_err(|_| Error::Cancelled)?
    }
}
