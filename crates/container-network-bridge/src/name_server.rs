//! The name server on the network's gateway.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use container_dns::{Resolvers, Server};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::Error;
use crate::holder::{Holder, Order};
use crate::names::NetworkNames;

const PORT: u16 = 53;
/// The host's name servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// A running name server; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct NameServer {
    _stop: DropGuard,
}

impl NameServer {
    /// Serves `names` on the gateway's addresses in the holder's namespace.
    ///
    /// # Errors
    /// The sockets cannot be made.
    pub(crate) async fn start(names: Arc<NetworkNames>, holder: &Holder) -> Result<Self, Error> {
        let own: Vec<IpAddr> = names.settings.gateways().map(|(address, _)| address).into();
        let order = Order::NameServer {
            addresses: own.clone(),
            port: PORT,
        };
        let sockets = holder.exchange(order, Vec::new()).await?;
        let server = Server::new(names, Resolvers::new(RESOLV_CONF, own));
        let stop = CancellationToken::new();
        let mut sockets = sockets.into_iter();
        while let (Some(datagrams), Some(streams)) = (sockets.next(), sockets.next()) {
            serve(&server, datagrams, streams, &stop)
                .map_err(|error| Error::System("failed to serve DNS on the network's gateway", error))?;
        }
        Ok(Self {
            _stop: stop.drop_guard(),
        })
    }
}

fn serve(server: &Server, datagrams: OwnedFd, streams: OwnedFd, stop: &CancellationToken) -> io::Result<()> {
    // The holder makes them so that they do not block.
    let datagrams = UdpSocket::from_std(datagrams.into())?;
    let streams = TcpListener::from_std(streams.into())?;
    let (first, second) = (server.clone(), server.clone());
    let (first_stop, second_stop) = (stop.clone(), stop.clone());
    tokio::spawn(async move { first.serve_udp(datagrams, first_stop).await });
    tokio::spawn(async move { second.serve_tcp(streams, second_stop).await });
    Ok(())
}
