//! TCP: accepts clients, and connects each to the container.

use std::io;
use std::net::{SocketAddr, TcpStream as StdTcpStream};
use std::sync::Arc;
use std::time::Duration;

use container_client::network::SocketKind;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time;

use crate::connector::Connector;
use crate::gate::Gate;
use crate::pump;

/// How long the container may take to accept a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a listener rests when the system has no descriptors.
const REST: Duration = Duration::from_millis(100);

/// Forwards the connections of `listener` to `to`, for ever.
pub(crate) async fn serve<C: Connector>(
    listener: TcpListener,
    to: SocketAddr,
    connector: Arc<C>,
    gate: Arc<Gate>,
) {
    let mut connections = JoinSet::new();
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match client {
            Ok((client, _)) => {
                let permit = gate.enter().await;
                let connector = Arc::clone(&connector);
                connections.spawn(async move {
                    forward(client, to, &*connector).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "failed to accept a connection");
                time::sleep(REST).await;
            }
        }
    }
}

/// Connects a client, which nobody reads from meanwhile, and copies until both sides have ended.
async fn forward<C: Connector>(client: TcpStream, to: SocketAddr, connector: &C) {
    let connected = time::timeout(CONNECT_LIMIT, connect(to, connector)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match connected.and_then(|server| prepare(&client).and(Ok(server))) {
        Ok(server) => pump::join(&client, &server).await,
        Err(error) => {
            tracing::debug!(%to, %error, "failed to connect to the container");
            pump::reset(&client);
        }
    }
}

async fn connect<C: Connector>(to: SocketAddr, connector: &C) -> io::Result<TcpStream> {
    let kind = if to.is_ipv6() {
        SocketKind::Tcp6
    } else {
        SocketKind::Tcp4
    };
    let socket = StdTcpStream::from(connector.socket(kind).await?);
    socket.set_nonblocking(true)?;
    let server = TcpSocket::from_std_stream(socket).connect(to).await?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// What is sent is not held back, and a client whose host vanished is noticed.
fn prepare(client: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    SockRef::from(client).set_keepalive(true)
}
