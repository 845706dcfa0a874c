//! Writing bundles, each of them [whole] or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use container_client::bundle::{INIT_DISK_FILE, KERNEL_FILE, ROOT_DISK_FILE};
use container_client::{Bundle, BundleConfiguration};
use container_ipc::Error;

use crate::{copy, whole};

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
    let ingest = whole::ingest_path(directory);
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
