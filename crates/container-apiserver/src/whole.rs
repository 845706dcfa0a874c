//! Directories that are there whole or not at all, whatever moment a crash comes at.
//!
//! A new one is put together under another name and gets its own when it is complete; a deleted one loses its name
//! first. What has neither name nor owner is removed when the server starts.

use std::path::{Path, PathBuf};
use std::{fs, io};

use container_resource::name::random_id;

/// Beginning of the name of a directory that is not complete.
const INGEST: &str = ".ingest-";
/// Beginning of the name of a directory that is being removed.
const REMOVED: &str = ".removed-";

/// Where in `parent` a new directory is put together.
pub(crate) fn ingest_path(parent: &Path) -> PathBuf {
    parent.join(format!("{INGEST}{}", random_id()))
}

/// Takes a directory's name away. What is returned still has to be [removed](remove).
///
/// # Errors
/// The directory is missing or cannot be renamed.
pub(crate) fn take_name(path: &Path) -> io::Result<PathBuf> {
    let removed = path.with_file_name(format!("{REMOVED}{}", random_id()));
    fs::rename(path, &removed)?;
    Ok(removed)
}

/// Removes what has no name any more. What cannot be removed now is tried again when the server starts.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "failed to remove a directory");
    }
}

/// Whether `name` is that of a directory that is not complete or being removed.
pub(crate) fn is_leftover(name: &str) -> bool {
    name.starts_with(INGEST) || name.starts_with(REMOVED)
}
