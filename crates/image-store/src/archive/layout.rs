//! OCI image layouts.

use std::collections::HashMap;

use container_resource::ImageDescription;
use oci_spec::image::{Descriptor, Digest, ImageIndex};
use serde::Deserialize;

use super::source::Source;
use crate::Error;
use crate::error::Result;
use crate::graph::{self, Kind};

/// How deep indexes may be nested.
const MAX_DEPTH: usize = 4;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayoutMarker {
    image_layout_version: String,
}

/// Takes every image that the layout's index lists.
pub(super) fn import(source: &Source<'_>) -> Result<Vec<ImageDescription>> {
    let malformed =
        |name: &str, error: serde_json::Error| source.error(format!("{name} is malformed: {error}"));
    if source.has("oci-layout") {
        let marker: LayoutMarker = serde_json::from_slice(&source.read("oci-layout")?)
            .map_err(|error| malformed("oci-layout", error))?;
        if !marker.image_layout_version.starts_with("1.") {
            let version = marker.image_layout_version;
            return Err(source.error(format!("image layout version {version} is not supported")));
        }
    }
    let index: ImageIndex = serde_json::from_slice(&source.read("index.json")?)
        .map_err(|error| malformed("index.json", error))?;
    let mut taken = HashMap::new();
    index
        .manifests()
        .iter()
        .map(|root| import_image(source, root, &mut taken))
        .collect()
}

fn import_image(source: &Source<'_>, root: &Descriptor, taken: &mut Taken) -> Result<ImageDescription> {
    if !take(source, root, 0, taken)? {
        return Err(source.error(format!("image {} has no manifest in it", root.digest())));
    }
    let annotations = root.annotations().clone();
    let descriptor = match graph::kind(root.media_type()) {
        Kind::Index => root.clone(),
        _ => wrapped(source, root, annotations.clone())?,
    };
    Ok(ImageDescription {
        reference: reference(annotations.as_ref(), &descriptor),
        descriptor,
    })
}

/// The descriptor of an index that is made around a single manifest.
pub(super) fn wrapped(
    source: &Source<'_>,
    manifest: &Descriptor,
    annotations: Option<HashMap<String, String>>,
) -> Result<Descriptor> {
    let platform = graph::platform(source, manifest)?
        .ok_or_else(|| source.error(format!("image {} does not tell its platform", manifest.digest())))?;
    let index = graph::wrap(manifest, &platform)?;
    Ok(graph::index_descriptor(
        source.add(&index)?,
        index.len(),
        annotations,
    ))
}

fn reference(annotations: Option<&HashMap<String, String>>, descriptor: &Descriptor) -> String {
    graph::NAME_ANNOTATIONS
        .iter()
        .find_map(|name| annotations?.get(*name).cloned())
        .unwrap_or_else(|| format!("untagged@{}", descriptor.digest()))
}

/// Indexes and manifests that were taken, and whether any manifest is there.
type Taken = HashMap<Digest, bool>;

/// Takes an image's blobs; the answer is whether any manifest is there. Indexes may list platforms that were left out
/// of the archive, but a manifest that is there has its configuration and layers with it.
fn take(source: &Source<'_>, descriptor: &Descriptor, depth: usize, taken: &mut Taken) -> Result<bool> {
    if let Some(there) = taken.get(descriptor.digest()) {
        return Ok(*there);
    }
    let there = take_new(source, descriptor, depth, taken)?;
    taken.insert(descriptor.digest().clone(), there);
    Ok(there)
}

fn take_new(source: &Source<'_>, descriptor: &Descriptor, depth: usize, taken: &mut Taken) -> Result<bool> {
    let missing = || source.error(format!("it is incomplete: {} is missing", descriptor.digest()));
    let there = source.take_blob(descriptor.digest(), descriptor.size())?;
    match graph::kind(descriptor.media_type()) {
        Kind::Index if depth > MAX_DEPTH => Err(source.error("indexes are nested too deeply")),
        Kind::Index | Kind::Manifest if !there && depth > 0 => Ok(false),
        _ if !there => Err(missing()),
        Kind::Index => {
            let index = graph::index(source, descriptor.digest())?;
            let mut any = false;
            for entry in index.manifests() {
                any |= take(source, entry, depth + 1, taken)?;
            }
            Ok(any)
        }
        Kind::Manifest => {
            let manifest = graph::manifest(source, descriptor.digest())?;
            for part in std::iter::once(manifest.config()).chain(manifest.layers()) {
                if !source.take_blob(part.digest(), part.size())? && !graph::is_foreign(part.media_type()) {
                    return Err(source.error(format!("it is incomplete: {} is missing", part.digest())));
                }
            }
            Ok(true)
        }
        Kind::Other if depth > 0 => Ok(false),
        Kind::Other => Err(Error::Malformed {
            kind: "image",
            digest: descriptor.digest().clone(),
            reason: format!(
                "{} is neither an image index nor an image manifest",
                descriptor.media_type()
            ),
        }),
    }
}
