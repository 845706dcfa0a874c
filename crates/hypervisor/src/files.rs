//! Opening the files of a machine.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::{Disk, Error};

/// Opens a kernel, which has to be a regular file.
pub(crate) fn open_kernel(path: &Path) -> io::Result<File> {
    let kernel = File::open(path)?;
    if !kernel.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(kernel)
}

/// Opens a disk's image for exactly what the guest may do with it.
pub(crate) fn open_disk(disk: &Disk) -> Result<File, Error> {
    let error = |source| Error::Disk {
        path: disk.path.clone(),
        source,
    };
    let file = OpenOptions::new()
        .read(true)
        .write(!disk.read_only)
        .open(&disk.path)
        .map_err(error)?;
    let metadata = file.metadata().map_err(error)?;
    if metadata.is_file() && metadata.len() == 0 {
        return Err(error(io::Error::new(
            io::ErrorKind::InvalidData,
            "the image is empty",
        )));
    }
    Ok(file)
}

/// Opens the console's log for appending; the number is where in it this boot begins.
pub(crate) fn open_console_log(path: &Path) -> Result<(File, u64), Error> {
    let error = |source| Error::ConsoleLog {
        path: path.to_owned(),
        source,
    };
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(error)?;
    let start = log.metadata().map_err(error)?.len();
    Ok((log, start))
}
