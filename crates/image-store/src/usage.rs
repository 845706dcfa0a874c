//! How much disk images take, and how much of it would come back (behaviour reference, 23.3).

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::content::ContentStore;
use crate::error::{IoContext, Result};
use crate::graph::Reachable;
use crate::snapshot::Snapshots;
use crate::state::Guard;

/// What images take of the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUsage {
    /// References.
    pub images: usize,
    /// References that are in use.
    pub active: usize,
    /// Allocated bytes of blobs and disks, orphans and what is still arriving included.
    pub size: u64,
    /// Those of them that come back when every reference that is not in use is deleted and the rest collected. A disk
    /// that a container has linked does not.
    pub reclaimable: u64,
}

/// Measures the store; `active` are the references in use.
pub(crate) fn measure(
    content: &ContentStore,
    snapshots: &Snapshots,
    references: &Guard<'_>,
    active: &HashSet<String>,
) -> Result<DiskUsage> {
    let images = references.list();
    let mut needed = Reachable::default();
    let mut usage = DiskUsage {
        images: images.len(),
        size: Allocated::below(content.root())?.total + Allocated::below(snapshots.root())?.total,
        ..DiskUsage::default()
    };
    for image in images.iter().filter(|image| active.contains(&image.reference)) {
        usage.active += 1;
        needed.add(content, &image.descriptor)?;
    }
    if references.set_aside()?.is_some() {
        // Nothing may be collected.
        return Ok(usage);
    }
    for digest in content.digests()? {
        if !needed.blobs.contains(&digest) && !content.is_leased(&digest) {
            usage.reclaimable += Allocated::below(&content.path(&digest)?)?.returned;
        }
    }
    for chain_id in snapshots.chain_ids()? {
        if !needed.chains.contains(&chain_id) {
            usage.reclaimable += Allocated::below(&snapshots.dir(&chain_id)?)?.returned;
        }
    }
    // What arrived between the two looks does not make it more than everything.
    usage.reclaimable = usage.reclaimable.min(usage.size);
    Ok(usage)
}

/// Bytes of disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Allocated {
    /// All that the files take.
    pub(crate) total: u64,
    /// What comes back when they are removed: files that have another name keep their space.
    pub(crate) returned: u64,
}

impl Allocated {
    /// The file `path`, or the files in the directory of this name. What is not there takes nothing.
    pub(crate) fn below(path: &Path) -> Result<Self> {
        let mut allocated = Self::default();
        if let Some(metadata) = present(fs::symlink_metadata(path)).context("failed to read", path)? {
            allocated.add(path, &metadata)?;
        }
        Ok(allocated)
    }

    fn add(&mut self, path: &Path, metadata: &Metadata) -> Result<()> {
        if !metadata.is_dir() {
            let bytes = metadata.blocks() * 512;
            self.total += bytes;
            self.returned += if metadata.nlink() == 1 { bytes } else { 0 };
            return Ok(());
        }
        let Some(entries) = present(fs::read_dir(path)).context("failed to read", path)? else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry.context("failed to read", path)?;
            let path = entry.path();
            if let Some(metadata) = present(entry.metadata()).context("failed to read", &path)? {
                self.add(&path, &metadata)?;
            }
        }
        Ok(())
    }
}

/// Nothing instead of an error about something that is not there.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_other_names_keep_their_space() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("dir");
        fs::create_dir_all(dir.join("inner")).unwrap();
        fs::write(dir.join("own"), vec![1; 1 << 16]).unwrap();
        fs::write(dir.join("inner/shared"), vec![1; 1 << 17]).unwrap();
        fs::hard_link(dir.join("inner/shared"), root.path().join("other")).unwrap();
        fs::File::create(dir.join("hole"))
            .unwrap()
            .set_len(1 << 30)
            .unwrap();
        let expected = Allocated {
            total: (1 << 16) + (1 << 17),
            returned: 1 << 16,
        };
        assert_eq!(Allocated::below(&dir).unwrap(), expected);
        assert_eq!(
            Allocated::below(&root.path().join("none")).unwrap(),
            Allocated::default()
        );
    }
}
