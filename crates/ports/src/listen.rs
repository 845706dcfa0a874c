//! Binding one host port.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use container_resource::PublishPort;
use container_resource::network::PublishProtocol;
use socket2::{Domain, Socket as RawSocket, Type};
use tokio::net::TcpListener;

use crate::Error;
use crate::datagrams::Datagrams;
use crate::{Socket, name};

/// How many connections may wait to be accepted; the system's own limit may be lower.
const BACKLOG: i32 = 4096;
/// Below it ports are the superuser's, where nothing says otherwise.
const FIRST_FREE_PORT: u16 = 1024;

/// Binds the port `offset` behind the first one of `port`; host port 0 is any free one.
///
/// # Errors
/// It is taken, needs privileges, or its address is not one of this host.
pub(crate) fn bind(port: &PublishPort, offset: u16) -> Result<Socket, Error> {
    // The option's parser has seen that it is an address.
    let host = port
        .host_address
        .parse()
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let address = SocketAddr::new(host, port.host_port.saturating_add(offset));
    let bound = match port.proto {
        PublishProtocol::Tcp => tcp(address).map(Socket::Tcp),
        PublishProtocol::Udp => udp(address).map(Socket::Udp),
    };
    bound.map_err(|error| {
        let name = name(&address, port.proto);
        match error.kind() {
            ErrorKind::PermissionDenied if address.port() < FIRST_FREE_PORT => {
                Error::PrivilegedPort(address.port())
            }
            ErrorKind::AddrInUse => Error::PortInUse(name),
            ErrorKind::AddrNotAvailable => Error::ForeignAddress(name),
            _ => Error::Listen(name, error),
        }
    })
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM)?;
    // What former connections of the port left behind does not hold it.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn udp(address: SocketAddr) -> io::Result<Datagrams> {
    let socket = socket(address, Type::DGRAM)?;
    socket.bind(&address.into())?;
    Datagrams::new(socket, address)
}

fn socket(address: SocketAddr, kind: Type) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(address), kind, None)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        // IPv4 clients of `[::]` would have no way to an IPv6 container.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// The port that a socket has.
///
/// # Errors
/// The system does not say.
pub(crate) fn port(socket: &Socket) -> Result<u16, Error> {
    let address = match socket {
        Socket::Tcp(listener) => listener.local_addr(),
        Socket::Udp(socket) => socket.local_addr(),
    };
    let unknown = |error| Error::Listen("a free port".to_owned(), error);
    address.map(|address| address.port()).map_err(unknown)
}
