//! Descriptors whose readiness the runtime waits for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Has the runtime wait for a descriptor, which is made not to block.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    // SAFETY: the descriptor is owned, and an `OwnedFd` inside of an `AsyncFd` is always the same one and
    // closed only after the registration has ended.
    Ok(unsafe { AsyncFd::register(fd) }?)
}
