use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::MemfdFlags;

use crate::{Disk, Error, VmConfig};

/// The files of a machine, opened for exactly what QEMU may do with them.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) kernel: OwnedFd,
    pub(super) disks: Vec<OwnedFd>,
    pub(super) console: OwnedFd,
    /// Where in the console's log this boot begins.
    pub(super) console_start: u64,
}

impl Files {
    /// Opens them. `foreign`: QEMU will run as another user.
    pub(super) fn open(config: &VmConfig, foreign: bool) -> Result<Self, Error> {
        let kernel = open_kernel(&config.kernel, foreign).map_err(|source| Error::Kernel {
            path: config.kernel.clone(),
            source,
        })?;
        let disks = config.disks.iter().map(open_disk).collect::<Result<_, _>>()?;
        let log_error = |source| Error::ConsoleLog {
            path: config.console_log.clone(),
            source,
        };
        let console = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&config.console_log)
            .map_err(log_error)?;
        let console_start = console.metadata().map_err(log_error)?.len();
        Ok(Self {
            kernel: kernel.into(),
            disks,
            console: console.into(),
            console_start,
        })
    }
}

/// QEMU opens the kernel once more through its descriptor, which needs the right to read the file itself.
/// A kernel that only its owner may read is copied for a QEMU that is somebody else.
fn open_kernel(path: &Path, foreign: bool) -> io::Result<File> {
    let mut kernel = File::open(path)?;
    let metadata = kernel.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if !foreign || metadata.permissions().mode() & 0o004 != 0 {
        return Ok(kernel);
    }
    let mut copy = File::from(rustix::fs::memfd_create("kernel", MemfdFlags::CLOEXEC)?);
    io::copy(&mut kernel, &mut copy)?;
    copy.seek(SeekFrom::Start(0))?;
    Ok(copy)
}

fn open_disk(disk: &Disk) -> Result<OwnedFd, Error> {
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
    Ok(file.into())
}
