//! Writing and removing bundles so that a crash at any point leaves a whole bundle or none.
//!
//! A new bundle is put together in a directory of its own and gets its name when it is complete; a deleted one loses
//! its name first. What has neither name nor owner is removed when the server starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use container_client::bundle::{INIT_DISK_FILE, KERNEL_FILE, ROOT_DISK_FILE};
use container_client::{Bundle, BundleConfiguration};
use container_ipc::Error;
use container_resource::name::random_id;

use crate::copy;

/// Beginning of the name of a bundle that is not complete.
const INGEST: &str = ".ingest-";
/// Beginning of the name of a bundle that is being removed.
const REMOVED: &str = ".removed-";

/// The files that a bundle is made of.
#[derive(Debug)]
pub(super) struct Disks {
    /// The kernel image.
    pub(super) kernel: PathBuf,
    /// The init image's disk.
    pub(super) init: PathBuf,
    /// The container image's disk.
    pub(super) root: PathBuf,
}

/// Writes a bundle into `directory`. `kernels` is the directory whose files never change once they have their name.
///
/// # Errors
/// A file cannot be read or written, or there is a bundle of that name; nothing is left behind.
pub(super) fn write(
    directory: &Path,
    kernels: &Path,
    record: &BundleConfiguration,
    disks: &Disks,
) -> Result<Bundle, Error> {
    let id = &record.configuration.id;
    let ingest = directory.join(format!("{INGEST}{}", random_id()));
    let bundle = directory.join(id);
    let write = || -> io::Result<()> {
        fs::create_dir(&ingest)?;
        let kernel = ingest.join(KERNEL_FILE);
        // A kernel somewhere else is its owner's, who may write to it at any time.
        if disks.kernel.starts_with(kernels) {
            copy::link(&disks.kernel, &kernel)?;
        } else {
            copy::duplicate(&disks.kernel, &kernel)?;
        }
        copy::link(&disks.init, &ingest.join(INIT_DISK_FILE))?;
        copy::link(&disks.root, &ingest.join(ROOT_DISK_FILE))?;
        Bundle::new(&ingest).store_configuration(record)?;
        fs::rename(&ingest, &bundle)
    };
    write().map_err(|error| {
        // Renaming over a directory that is not empty fails, so that nothing is ever replaced.
        let _ = fs::remove_dir_all(&ingest);
        Error::internal(format!("failed to write the bundle of container {id}: {error}"))
    })?;
    Ok(Bundle::new(bundle))
}

/// Takes a bundle's name away. What is returned still has to be [removed](remove).
///
/// # Errors
/// The bundle is missing or cannot be renamed.
pub(super) fn take_name(bundle: &Bundle) -> io::Result<PathBuf> {
    let removed = bundle.path().with_file_name(format!("{REMOVED}{}", random_id()));
    fs::rename(bundle.path(), &removed)?;
    Ok(removed)
}

/// Removes what has no name any more. What cannot be removed now is tried again when the server starts.
pub(super) fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "failed to remove a bundle");
    }
}

/// Whether `name` is that of a bundle that is not complete or being removed.
pub(super) fn is_leftover(name: &str) -> bool {
    name.starts_with(INGEST) || name.starts_with(REMOVED)
}
