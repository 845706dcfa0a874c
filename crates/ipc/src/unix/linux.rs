//! What Linux does in one step.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::net::{RecvFlags, SendFlags};

/// Received descriptors are close-on-exec from the start.
pub(super) const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;

/// A peer that went away is an error, not a signal.
pub(super) const SEND: SendFlags = SendFlags::NOSIGNAL;

/// Nothing to do: [`RECEIVE`] did it.
pub(super) fn close_on_exec(_fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(())
}

/// Nothing to do: [`SEND`] does it each time.
pub(super) fn prepare(_socket: impl AsFd) -> io::Result<()> {
    Ok(())
}
