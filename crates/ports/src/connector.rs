//! Where sockets that reach the container come from.

use std::io;
use std::os::fd::OwnedFd;

use container_client::network::SocketKind;
use socket2::{Domain, Socket, Type};

/// Makes sockets that reach the container's addresses.
pub trait Connector: Send + Sync + 'static {
    /// A socket that is neither bound nor connected.
    ///
    /// # Errors
    /// There is none at the moment.
    fn socket(&self, kind: SocketKind) -> impl Future<Output = io::Result<OwnedFd>> + Send;
}

/// The host's own sockets, for containers whose addresses the host reaches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Connector for Direct {
    async fn socket(&self, kind: SocketKind) -> io::Result<OwnedFd> {
        let (domain, kind) = match kind {
            SocketKind::Tcp4 => (Domain::IPV4, Type::STREAM),
            SocketKind::Tcp6 => (Domain::IPV6, Type::STREAM),
            SocketKind::Udp4 => (Domain::IPV4, Type::DGRAM),
            SocketKind::Udp6 => (Domain::IPV6, Type::DGRAM),
        };
        Socket::new(domain, kind, None).map(OwnedFd::from)
    }
}
