//! Files that survive a crash either whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result};

/// Writes the directory's entries to disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .context("failed to sync", dir)
}

/// Moves `from` to `to`, in the same file system, so that it is at one of the two places after a crash.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).context("failed to rename to", to)?;
    to.parent().map_or(Ok(()), sync_dir)
}

/// Where the new contents of `path` are written before they take its place.
fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

/// Replaces the contents of `path`, which nobody else writes at the same time.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = temporary(path);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .context("failed to write", &temporary)
        .and_then(|()| rename(&temporary, path));
    if written.is_err() {
        // What cannot be written can often not be removed either; the first failure is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes what a [`replace`] that a crash interrupted left beside `path`.
pub(crate) fn tidy(path: &Path) -> Result<()> {
    let temporary = temporary(path);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.context("failed to remove", temporary),
    }
}

/// Removes what unfinished work left in `dir`.
pub(crate) fn empty_dir(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).context("failed to read", dir)? {
        let entry = entry.context("failed to read", dir)?;
        let path = entry.path();
        let is_dir = entry.file_type().context("failed to read", &path)?.is_dir();
        let removed = if is_dir {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.context("failed to remove", &path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn interrupted_writes_are_tidied_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        tidy(&path).unwrap();
        fs::write(temporary(&path), b"more than there will be").unwrap();
        replace(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        fs::write(temporary(&path), b"half").unwrap();
        tidy(&path).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_contents() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir_all(path.join("by a directory")).unwrap();
        let error = replace(&path, b"x").unwrap_err().to_string();
        assert!(error.starts_with("failed to rename to"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
