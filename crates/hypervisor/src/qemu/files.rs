use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::MemfdFlags;

use crate::{Error, VmConfig, files};

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
        let disks = config
            .disks
            .iter()
            .map(|disk| files::open_disk(disk).map(OwnedFd::from))
            .collect::<Result<_, _>>()?;
        let (console, console_start) = files::open_console_log(&config.console_log)?;
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
    let mut kernel = files::open_kernel(path)?;
    if !foreign || kernel.metadata()?.permissions().mode() & 0o004 != 0 {
        return Ok(kernel);
    }
    let mut copy = File::from(rustix::fs::memfd_create("kernel", MemfdFlags::CLOEXEC)?);
    io::copy(&mut kernel, &mut copy)?;
    copy.seek(SeekFrom::Start(0))?;
    Ok(copy)
}
