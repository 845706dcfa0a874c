//! What of an image leaves this host when it is saved or pushed: only what is stored, described as it is.
//!
//! An image may have been pulled for one platform, or only one may be wanted. Its index then lists manifests that are
//! not handed on, so another index takes its place that lists exactly those that are.

use std::collections::{HashMap, HashSet};

use container_resource::{ImageDescription, Platform};
use oci_spec::image::{Descriptor, Digest};

use crate::content::{ContentStore, Ingest};
use crate::error::Result;
use crate::graph::{self, Documents, Kind};
use crate::{Error, digest};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 4;

/// An image as it is handed on. Its blobs are kept from garbage collection by the session it was made with.
#[derive(Debug)]
pub(crate) struct Export {
    /// The image's index.
    pub(crate) root: Descriptor,
    /// Indexes and manifests, each after everything it lists; the last is the root.
    pub(crate) documents: Vec<Document>,
    /// Configurations and layers, each once.
    pub(crate) blobs: Vec<Descriptor>,
}

/// An index or a manifest.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) descriptor: Descriptor,
    pub(crate) bytes: Vec<u8>,
}

impl Export {
    /// Puts together what is stored of `image`, for one platform or for all that are there.
    ///
    /// # Errors
    ///
    /// `NoContent` when that is nothing; a document is damaged.
    pub(crate) fn new(
        store: &ContentStore,
        session: &Ingest,
        image: &ImageDescription,
        platform: Option<&Platform>,
    ) -> Result<Self> {
        let mut collector = Collector {
            store,
            session,
            platform,
            documents: Vec::new(),
            blobs: Vec::new(),
            seen: HashSet::new(),
            indexes: HashMap::new(),
        };
        match collector.take(&image.descriptor, 0)? {
            Some(root) => Ok(Self {
                root,
                documents: collector.documents,
                blobs: collector.blobs,
            }),
            None => Err(Error::NoContent {
                reference: image.reference.clone(),
                platform: platform.cloned(),
                available: available(store, &image.descriptor)?,
            }),
        }
    }

    /// The manifest, when the index was only made around it on the way in and nothing else knows of it.
    pub(crate) fn without_made_index(mut self) -> Result<Self> {
        let Some(last) = self.documents.last() else {
            return Ok(self);
        };
        if graph::kind(last.descriptor.media_type()) != Kind::Index {
            return Ok(self);
        }
        let index: oci_spec::image::ImageIndex =
            graph::parse_bytes(&last.bytes, last.descriptor.digest(), "image index")?;
        let made = index
            .annotations()
            .as_ref()
            .and_then(|annotations| annotations.get(graph::INDIRECT))
            .is_some_and(|value| value == "true");
        if let ([manifest], true) = (&index.manifests()[..], made) {
            self.root = manifest.clone();
            self.documents.pop();
        }
        Ok(self)
    }
}

/// The platforms whose content is stored, in the index's order.
fn available(store: &ContentStore, root: &Descriptor) -> Result<Vec<Platform>> {
    let mut platforms = Vec::new();
    for manifest in graph::manifests(store, root)? {
        if parts(store, &manifest)?.is_some()
            && let Some(platform) = graph::platform(store, &manifest)?
        {
            platforms.push(platform);
        }
    }
    Ok(platforms)
}

/// A manifest's configuration and layers; none unless all of it is stored. Layers that may not be handed on may be
/// missing, and are then left out.
fn parts(store: &ContentStore, manifest: &Descriptor) -> Result<Option<Vec<Descriptor>>> {
    if store.size(manifest.digest())?.is_none() {
        return Ok(None);
    }
    let manifest = graph::manifest(store, manifest.digest())?;
    let mut parts = Vec::new();
    for part in std::iter::once(manifest.config()).chain(manifest.layers()) {
        match store.size(part.digest())? {
            Some(_) => parts.push(part.clone()),
            None if graph::is_foreign(part.media_type()) => {}
            None => return Ok(None),
        }
    }
    Ok(Some(parts))
}

struct Collector<'a> {
    store: &'a ContentStore,
    session: &'a Ingest,
    platform: Option<&'a Platform>,
    documents: Vec<Document>,
    blobs: Vec<Descriptor>,
    seen: HashSet<Digest>,
    /// Digest and size of what is listed in an index's place, if anything; each index is looked at once.
    indexes: HashMap<Digest, Option<(Digest, u64)>>,
}

impl Collector<'_> {
    /// Takes what is below `descriptor`; the answer is what to list in its place, if anything.
    fn take(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Option<Descriptor>> {
        match graph::kind(descriptor.media_type()) {
            Kind::Manifest => self.take_manifest(descriptor),
            Kind::Index => {
                let taken = match self.indexes.get(descriptor.digest()) {
                    Some(taken) => taken.clone(),
                    None => {
                        let taken = self.take_index(descriptor, depth)?;
                        self.indexes.insert(descriptor.digest().clone(), taken.clone());
                        taken
                    }
                };
                Ok(taken.map(|(digest, size)| {
                    let mut descriptor = descriptor.clone();
                    descriptor.set_digest(digest);
                    descriptor.set_size(size);
                    descriptor
                }))
            }
            Kind::Other => Ok(None),
        }
    }

    fn take_manifest(&mut self, descriptor: &Descriptor) -> Result<Option<Descriptor>> {
        // Leased before the look at what is there: what is seen then stays.
        self.session.holds(descriptor.digest(), None)?;
        if let Some(wanted) = self.platform
            && (self.store.size(descriptor.digest())?.is_none()
                || graph::platform(self.store, descriptor)?.as_ref() != Some(wanted))
        {
            return Ok(None);
        }
        let Some(parts) = parts(self.store, descriptor)? else {
            return Ok(None);
        };
        for part in parts {
            self.session.holds(part.digest(), None)?;
            if self.seen.insert(part.digest().clone()) {
                self.blobs.push(part);
            }
        }
        let bytes = self.store.document(descriptor.digest())?;
        self.add(descriptor.clone(), bytes);
        Ok(Some(descriptor.clone()))
    }

    fn take_index(&mut self, descriptor: &Descriptor, depth: usize) -> Result<Option<(Digest, u64)>> {
        if depth > MAX_DEPTH {
            return Err(Error::Malformed {
                kind: "image index",
                digest: descriptor.digest().clone(),
                reason: "indexes are nested too deeply".to_owned(),
            });
        }
        if !self.session.holds(descriptor.digest(), None)? {
            return Ok(None);
        }
        let bytes = self.store.document(descriptor.digest())?;
        let mut index: oci_spec::image::ImageIndex =
            graph::parse_bytes(&bytes, descriptor.digest(), "image index")?;
        let mut kept = Vec::new();
        for entry in index.manifests() {
            kept.extend(self.take(entry, depth + 1)?);
        }
        if kept.is_empty() {
            return Ok(None);
        }
        if kept == *index.manifests() {
            self.add(descriptor.clone(), bytes);
            return Ok(Some((descriptor.digest().clone(), descriptor.size())));
        }
        index.set_manifests(kept);
        let bytes = serde_json::to_vec(&index).map_err(|error| Error::Malformed {
            kind: "image index",
            digest: descriptor.digest().clone(),
            reason: error.to_string(),
        })?;
        let (digest, size) = (digest::of(&bytes), bytes.len() as u64);
        let mut other = descriptor.clone();
        other.set_digest(digest.clone());
        other.set_size(size);
        self.add(other, bytes);
        Ok(Some((digest, size)))
    }

    fn add(&mut self, descriptor: Descriptor, bytes: Vec<u8>) {
        if self.seen.insert(descriptor.digest().clone()) {
            self.documents.push(Document { descriptor, bytes });
        }
    }
}

/// A descriptor that says under which name its image is to be found again.
pub(crate) fn named(root: &Descriptor, reference: &str) -> Descriptor {
    let mut annotations: HashMap<String, String> = root.annotations().clone().unwrap_or_default();
    for name in graph::NAME_ANNOTATIONS {
        annotations.insert(name.to_owned(), reference.to_owned());
    }
    let mut root = root.clone();
    root.set_annotations(Some(annotations));
    root
}
