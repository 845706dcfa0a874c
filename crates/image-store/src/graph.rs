//! What images consist of: index → manifests → configuration and layers.

use std::collections::{HashMap, HashSet};

use container_resource::Platform;
use oci_spec::image::{
    Descriptor, Digest, ImageConfiguration, ImageIndex, ImageManifest, MediaType, ToDockerV2S2,
};
use serde::de::DeserializeOwned;

use crate::content::ContentStore;
use crate::error::Result;
use crate::{Error, digest};

/// Marks an index that was made around an image of a single manifest (behaviour reference, 19.4).
pub(crate) const INDIRECT: &str = "com.apple.containerization.index.indirect";

/// The annotations that may hold an image's reference; the first one present counts.
pub(crate) const NAME_ANNOTATIONS: [&str; 3] = [
    "com.apple.containerization.image.name",
    "io.containerd.image.name",
    "org.opencontainers.image.ref.name",
];

/// How deep indexes may be nested in indexes.
const MAX_DEPTH: usize = 4;

/// What a descriptor points to, as far as its media type tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Index,
    Manifest,
    Other,
}

/// Tells indexes and manifests, of OCI or Docker, from everything else.
pub(crate) fn kind(media_type: &MediaType) -> Kind {
    let is = |oci: MediaType| *media_type == oci || oci.to_docker_v2s2().ok() == Some(media_type.as_ref());
    if is(MediaType::ImageIndex) {
        Kind::Index
    } else if is(MediaType::ImageManifest) {
        Kind::Manifest
    } else {
        Kind::Other
    }
}

/// Whether a registry or an archive may leave the layer out, because its licence forbids handing it on.
pub(crate) fn is_foreign(media_type: &MediaType) -> bool {
    let name = media_type.as_ref();
    name.contains(".nondistributable.") || name.contains(".foreign.")
}

/// Where documents are read from.
pub(crate) trait Documents {
    /// The document's bytes, verified; `BlobNotFound` when it is not there.
    fn document(&self, digest: &Digest) -> Result<Vec<u8>>;
}

impl Documents for ContentStore {
    fn document(&self, digest: &Digest) -> Result<Vec<u8>> {
        self.read(digest)
    }
}

/// Reads a document of the kind that `what` names in errors.
pub(crate) fn parse<T: DeserializeOwned>(
    from: &impl Documents,
    digest: &Digest,
    what: &'static str,
) -> Result<T> {
    parse_bytes(&from.document(digest)?, digest, what)
}

/// Reads the bytes of a document.
pub(crate) fn parse_bytes<T: DeserializeOwned>(
    bytes: &[u8],
    digest: &Digest,
    kind: &'static str,
) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::Malformed {
        kind,
        digest: digest.clone(),
        reason: error.to_string(),
    })
}

/// Reads an image index.
pub(crate) fn index(from: &impl Documents, digest: &Digest) -> Result<ImageIndex> {
    parse(from, digest, "image index")
}

/// Reads an image manifest.
pub(crate) fn manifest(from: &impl Documents, digest: &Digest) -> Result<ImageManifest> {
    parse(from, digest, "image manifest")
}

/// Reads an image configuration.
pub(crate) fn configuration(from: &impl Documents, digest: &Digest) -> Result<ImageConfiguration> {
    parse(from, digest, "image configuration")
}

/// The manifests of the image `root`, an index or a manifest; those of nested indexes included where these are there.
pub(crate) fn manifests(from: &impl Documents, root: &Descriptor) -> Result<Vec<Descriptor>> {
    let mut found = Vec::new();
    // An index that others list a thousand times each is looked at once.
    let mut seen = HashSet::new();
    collect_manifests(from, root, 0, &mut seen, &mut found)?;
    Ok(found)
}

fn collect_manifests(
    from: &impl Documents,
    root: &Descriptor,
    depth: usize,
    seen: &mut HashSet<Digest>,
    found: &mut Vec<Descriptor>,
) -> Result<()> {
    if kind(root.media_type()) != Kind::Index {
        found.push(root.clone());
        return Ok(());
    }
    if !seen.insert(root.digest().clone()) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(Error::Malformed {
            kind: "image index",
            digest: root.digest().clone(),
            reason: "indexes are nested too deeply".to_owned(),
        });
    }
    match index(from, root.digest()) {
        Ok(index) => index
            .manifests()
            .iter()
            .try_for_each(|m| collect_manifests(from, m, depth + 1, seen, found)),
        Err(Error::BlobNotFound(_) | Error::UnsupportedDigest(_)) if depth > 0 => Ok(()),
        Err(error) => Err(error),
    }
}

/// What the manifest runs on, from its descriptor or else from its configuration; none when neither says, as for
/// manifests that carry attestations rather than file systems.
pub(crate) fn platform(from: &impl Documents, descriptor: &Descriptor) -> Result<Option<Platform>> {
    if let Some(platform) = descriptor.platform() {
        let platform = Platform::from(platform);
        return Ok((platform.os != "unknown").then_some(platform));
    }
    if kind(descriptor.media_type()) != Kind::Manifest {
        return Ok(None);
    }
    let configuration = manifest(from, descriptor.digest()).and_then(|manifest| {
        parse::<ImageConfiguration>(from, manifest.config().digest(), "image configuration")
    });
    match configuration {
        Ok(configuration) => Ok(Some(platform_of(&configuration))),
        Err(Error::BlobNotFound(_) | Error::Malformed { .. } | Error::UnsupportedDigest(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What an image with this configuration runs on.
pub(crate) fn platform_of(configuration: &ImageConfiguration) -> Platform {
    Platform::new(
        &configuration.os().to_string(),
        &configuration.architecture().to_string(),
        configuration.variant().as_deref(),
    )
}

/// The manifest of the image `root` for `platform`.
///
/// # Errors
///
/// `UnsupportedPlatform` when the image does not list it.
pub(crate) fn select(from: &impl Documents, root: &Descriptor, wanted: &Platform) -> Result<Descriptor> {
    for descriptor in manifests(from, root)? {
        if platform(from, &descriptor)?.as_ref() == Some(wanted) {
            return Ok(descriptor);
        }
    }
    Err(Error::UnsupportedPlatform(wanted.clone()))
}

/// The chain ID of the file system that the layers make together (OCI image specification, "Layer ChainID").
pub(crate) fn chain_id(configuration: &ImageConfiguration) -> Digest {
    let mut layers = configuration.rootfs().diff_ids().iter();
    let first = layers
        .next()
        .map_or_else(|| digest::of(b"").to_string(), Clone::clone);
    let chain = layers.fold(first, |chain, layer| {
        digest::of(format!("{chain} {layer}").as_bytes()).to_string()
    });
    // Diff ids are texts in the configuration; one that is no digest still gets a chain of its own.
    chain
        .parse()
        .ok()
        .filter(|chain| digest::hex(chain).is_ok())
        .unwrap_or_else(|| digest::of(chain.as_bytes()))
}

/// An index around a single manifest: its bytes.
pub(crate) fn wrap(manifest: &Descriptor, platform: &Platform) -> Result<Vec<u8>> {
    let malformed = |reason: String| Error::Malformed {
        kind: "image manifest",
        digest: manifest.digest().clone(),
        reason,
    };
    let mut entry = Descriptor::new(
        manifest.media_type().clone(),
        manifest.size(),
        manifest.digest().clone(),
    );
    let mut spec = oci_spec::image::Platform::default();
    spec.set_os(platform.os.as_str().into());
    spec.set_architecture(platform.architecture.as_str().into());
    spec.set_variant(platform.variant.clone());
    entry.set_platform(Some(spec));
    let mut index = ImageIndex::default();
    index.set_schema_version(2);
    index.set_media_type(Some(MediaType::ImageIndex));
    index.set_manifests(vec![entry]);
    index.set_annotations(Some(HashMap::from([(INDIRECT.to_owned(), "true".to_owned())])));
    serde_json::to_vec(&index).map_err(|error| malformed(error.to_string()))
}

/// The descriptor of an index.
pub(crate) fn index_descriptor(
    digest: Digest,
    size: usize,
    annotations: Option<HashMap<String, String>>,
) -> Descriptor {
    let mut descriptor = Descriptor::new(MediaType::ImageIndex, size as u64, digest);
    descriptor.set_annotations(annotations);
    descriptor
}

/// Everything an image keeps alive.
#[derive(Debug, Default)]
pub(crate) struct Reachable {
    /// Blobs.
    pub(crate) blobs: HashSet<Digest>,
    /// Chain IDs of its file systems.
    pub(crate) chains: HashSet<Digest>,
}

impl Reachable {
    /// Adds what is reachable from `root`, however deep. What is missing or damaged leads no further.
    pub(crate) fn add(&mut self, from: &impl Documents, root: &Descriptor) -> Result<()> {
        let mut pending = vec![root.clone()];
        while let Some(root) = pending.pop() {
            if !self.blobs.insert(root.digest().clone()) {
                continue;
            }
            let visited = match kind(root.media_type()) {
                Kind::Index => {
                    index(from, root.digest()).map(|index| pending.extend_from_slice(index.manifests()))
                }
                Kind::Manifest => {
                    manifest(from, root.digest()).and_then(|manifest| self.add_manifest(from, &manifest))
                }
                Kind::Other => Ok(()),
            };
            match visited {
                Err(
                    Error::BlobNotFound(_)
                    | Error::Malformed { .. }
                    | Error::DigestMismatch { .. }
                    | Error::SizeMismatch { .. }
                    | Error::UnsupportedDigest(_),
                ) => {}
                visited => visited?,
            }
        }
        Ok(())
    }

    fn add_manifest(&mut self, from: &impl Documents, manifest: &ImageManifest) -> Result<()> {
        self.blobs
            .extend(manifest.layers().iter().map(|layer| layer.digest().clone()));
        self.blobs.insert(manifest.config().digest().clone());
        let configuration = configuration(from, manifest.config().digest())?;
        self.chains.insert(chain_id(&configuration));
        Ok(())
    }
}
