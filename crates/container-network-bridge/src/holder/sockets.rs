//! Sockets of the namespace.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use container_client::network::SocketKind;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType};

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// How many connections may wait for the name server.
const BACKLOG: i32 = 128;

/// A socket of one kind.
pub(super) fn make(kind: SocketKind) -> io::Result<OwnedFd> {
    let (family, kind) = match kind {
        SocketKind::Tcp4 => (AddressFamily::INET, SocketType::STREAM),
        SocketKind::Tcp6 => (AddressFamily::INET6, SocketType::STREAM),
        SocketKind::Udp4 => (AddressFamily::INET, SocketType::DGRAM),
        SocketKind::Udp6 => (AddressFamily::INET6, SocketType::DGRAM),
    };
    Ok(rustix::net::socket_with(family, kind, FLAGS, None)?)
}

/// A UDP socket bound to an address, and a TCP socket that listens there.
pub(super) fn name_server(address: IpAddr, port: u16) -> io::Result<[OwnedFd; 2]> {
    let at = SocketAddr::new(address, port);
    let family = match address {
        IpAddr::V4(_) => AddressFamily::INET,
        IpAddr::V6(_) => AddressFamily::INET6,
    };
    let bound = |kind| -> io::Result<OwnedFd> {
        let socket = rustix::net::socket_with(family, kind, FLAGS, None)?;
        if address.is_ipv6() {
            set_ipv6_v6only(&socket, true)?;
        }
        if kind == SocketType::STREAM {
            set_socket_reuseaddr(&socket, true)?;
        }
        rustix::net::bind(&socket, &at)?;
        Ok(socket)
    };
    let stream = bound(SocketType::STREAM)?;
    rustix::net::listen(&stream, BACKLOG)?;
    Ok([bound(SocketType::DGRAM)?, stream])
}
