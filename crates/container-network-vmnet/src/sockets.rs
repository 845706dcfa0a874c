//! Sockets with a frame per message, between an interface and a virtual machine.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size, socket_type};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// Room in the sockets, in bytes, to send and to receive. Virtualization.framework wants to receive at least twice as much
/// as it sends, and advises four times as much.
const BUFFERS: (usize, usize) = (1 << 20, 4 << 20);

/// The two ends of a connection: ours and the virtual machine's.
///
/// # Errors
/// The process has too many descriptors.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::empty(), None)?;
    for socket in [&ours, &theirs] {
        set_socket_send_buffer_size(socket, BUFFERS.0)?;
        set_socket_recv_buffer_size(socket, BUFFERS.1)?;
        fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    }
    Ok((ours, theirs))
}

/// Whether this descriptor, which somebody sent, can be an end of such a connection.
pub(crate) fn is_end(descriptor: &OwnedFd) -> bool {
    socket_type(descriptor) == Ok(SocketType::DGRAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_datagram_sockets_are_ends() {
        let (ours, _theirs) = pair().unwrap();
        assert!(is_end(&ours));
        assert!(!is_end(&std::fs::File::open("/dev/null").unwrap().into()));
        let (stream, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!is_end(&stream.into()));
    }
}
