//! Garbage collection: what no reference leads to, and nobody is bringing in, goes (behaviour reference, 32.1).

use oci_spec::image::Digest;

use crate::Error;
use crate::content::ContentStore;
use crate::error::Result;
use crate::graph::Reachable;
use crate::snapshot::Snapshots;
use crate::state::Guard;

/// What a collection removed.
#[derive(Debug, Default)]
pub struct Collected {
    /// The blobs.
    pub digests: Vec<Digest>,
    /// How many unpacked disks.
    pub snapshots: usize,
    /// Bytes of disk that came back.
    pub bytes: u64,
}

/// Removes the orphans. The references are locked meanwhile: an image whose blobs are all there already cannot get its
/// name between the look at the names and the removal.
pub(crate) fn collect(
    content: &ContentStore,
    snapshots: &Snapshots,
    references: &Guard<'_>,
) -> Result<Collected> {
    if let Some(kept) = references.set_aside()? {
        return Err(Error::ReferencesSetAside(kept));
    }
    let mut reachable = Reachable::default();
    for image in references.list() {
        reachable.add(content, &image.descriptor)?;
    }
    let mut collected = Collected {
        bytes: content.sweep_partials()?,
        ..Collected::default()
    };
    for digest in content.digests()? {
        if reachable.blobs.contains(&digest) {
            continue;
        }
        if let Some(bytes) = content.remove(&digest)? {
            collected.bytes += bytes;
            collected.digests.push(digest);
        }
    }
    for chain_id in snapshots.chain_ids()? {
        if !reachable.chains.contains(&chain_id) {
            collected.bytes += snapshots.remove(&chain_id)?;
            collected.snapshots += 1;
        }
    }
    Ok(collected)
}
