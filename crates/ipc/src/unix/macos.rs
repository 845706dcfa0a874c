//! What macOS does in two steps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvFlags, SendFlags};

/// Descriptors cannot be received close-on-exec; [`close_on_exec`] follows.
pub(super) const RECEIVE: RecvFlags = RecvFlags::empty();

/// Whether a peer that went away raises a signal is a property of the socket; see [`prepare`].
pub(super) const SEND: SendFlags = SendFlags::empty();

/// Marks a received descriptor.
pub(super) fn close_on_exec(fd: BorrowedFd<'_>) -> io::Result<()> {
    Ok(fcntl_setfd(fd, FdFlags::CLOEXEC)?)
}

/// Makes a peer that went away an error instead of a signal.
pub(super) fn prepare(socket: impl AsFd) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_nosigpipe(socket, true)?)
}
