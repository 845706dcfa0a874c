//! A lock that is a file, and goes away with its owner.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The exclusive right to something, held by a lock on a file. Dropping it removes the file; when its owner
/// is killed the kernel releases the lock and the file that remains means nothing.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    /// Keeps the lock until after the file is removed.
    _held: File,
}

impl LockFile {
    /// Takes the lock at `path` without waiting; `None` while somebody else has it.
    pub fn claim(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // The previous owner may have removed the file between our opening and locking it.
            if is_at(&file, path)? {
                return Ok(Some(Self {
                    path: path.to_path_buf(),
                    _held: file,
                }));
            }
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let opened = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (opened.dev(), opened.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_at_a_time_and_nothing_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        for _ in 0..2 {
            let held = LockFile::claim(&path).unwrap().unwrap();
            assert!(LockFile::claim(&path).unwrap().is_none());
            drop(held);
            assert!(!path.exists());
        }
        // What a killed owner leaves is not in the way.
        std::fs::write(&path, "").unwrap();
        assert!(LockFile::claim(&path).unwrap().is_some());
    }
}
