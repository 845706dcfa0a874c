//! Bytes that files take on disk.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What `st_blocks` counts in, in bytes.
const BLOCK: u64 = 512;

/// What one file takes.
pub(crate) fn by(metadata: &Metadata) -> u64 {
    metadata.blocks() * BLOCK
}

/// What a file, or a directory with everything below it, takes. What goes away meanwhile takes nothing, and neither
/// does what this user may not look at. A file with several names is counted with each.
///
/// # Errors
/// There is nothing at `path`.
pub(crate) fn at(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    let below = if metadata.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| at(&entry.path()).unwrap_or(0)).sum()
    } else {
        0
    };
    Ok(by(&metadata) + below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_take_what_is_in_them() {
        let directory = tempfile::tempdir().unwrap();
        let empty = at(directory.path()).unwrap();
        fs::create_dir(directory.path().join("below")).unwrap();
        fs::write(directory.path().join("below/file"), vec![1; 100_000]).unwrap();
        assert!(at(directory.path()).unwrap() >= empty + 100_000);
        assert!(at(&directory.path().join("none")).is_err());
    }
}
