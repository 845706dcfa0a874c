//! A name server for names that nobody else knows.

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;

use container_dns::{Addresses, Names, Resolvers, Server};
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

/// What finds the addresses of a name, which is in lower case and has no dot at its end. What it does not find is not there.
pub(super) struct Table<F>(pub(super) F);

impl<F> Names for Table<F>
where
    F: Fn(&str) -> Option<Addresses> + Send + Sync,
{
    fn find(&self, name: &str) -> Option<Addresses> {
        (self.0)(name)
    }

    fn owns(&self, _name: &str) -> bool {
        true
    }

    fn name_of(&self, _address: IpAddr) -> Option<String> {
        None
    }

    fn owns_addresses(&self, _net: &IpNet) -> bool {
        true
    }
}

/// Answers what comes to `socket`, one question after the other, until `stop`.
///
/// # Errors
/// The socket cannot be used.
pub(super) fn serve<F>(socket: UdpSocket, table: Table<F>, stop: &CancellationToken) -> io::Result<()>
where
    F: Fn(&str) -> Option<Addresses> + Send + Sync + 'static,
{
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    let server = Server::new(Arc::new(table), Resolvers::none());
    let stop = stop.clone();
    tokio::spawn(async move { server.serve_udp(socket, stop).await });
    Ok(())
}
