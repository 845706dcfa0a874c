//! UDP: every client's datagrams go through a socket of its own, so that what comes back finds its client.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use container_client::network::SocketKind;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;
use tokio::time;

use crate::connector::Connector;
use crate::datagrams::{Conversation, Datagrams};

/// The most clients of one port; the one that was silent longest makes room.
const CLIENTS: usize = 256;
/// Datagrams that wait for a client's socket; more are lost, as a network loses them.
const QUEUE: usize = 64;
/// How long a silent client's socket is kept.
const IDLE: Duration = Duration::from_secs(120);
/// How long the network may take to give a socket.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of the largest datagram.
const LARGEST: usize = 65_535;
/// How long a port rests after an error.
const REST: Duration = Duration::from_millis(100);

/// Forwards datagrams between the clients of `host` and `to`, for ever.
pub(crate) async fn serve<C: Connector>(host: Datagrams, to: SocketAddr, connector: Arc<C>) {
    let host = Arc::new(host);
    let mut clients = Clients::default();
    let mut sessions = JoinSet::new();
    let mut buffer = vec![0; LARGEST];
    loop {
        let received = tokio::select! {
            received = host.receive(&mut buffer) => received,
            Some(_) = sessions.join_next() => continue,
        };
        let (count, client) = match received {
            Ok(received) => received,
            Err(error) => {
                tracing::warn!(%error, "failed to receive a datagram");
                time::sleep(REST).await;
                continue;
            }
        };
        let datagram = Bytes::copy_from_slice(&buffer[..count]);
        if let Some(queue) = clients.deliver(client, datagram) {
            let (host, connector) = (Arc::clone(&host), Arc::clone(&connector));
            sessions.spawn(async move {
                if let Err(error) = session(&host, client, queue, to, &*connector).await {
                    tracing::debug!(%to, %error, "failed to forward datagrams");
                }
            });
        }
    }
}

/// The clients whose datagrams are being forwarded.
#[derive(Debug, Default)]
struct Clients {
    by_conversation: HashMap<Conversation, Client>,
    /// Counts datagrams.
    now: u64,
}

#[derive(Debug)]
struct Client {
    queue: Sender<Bytes>,
    last: u64,
}

impl Clients {
    /// Queues a datagram. For a client that has no session, what the session gets it from is returned.
    fn deliver(&mut self, client: Conversation, datagram: Bytes) -> Option<Receiver<Bytes>> {
        self.now += 1;
        let datagram = match self.by_conversation.get_mut(&client) {
            None => datagram,
            Some(known) => {
                known.last = self.now;
                match known.queue.try_send(datagram) {
                    Err(TrySendError::Closed(datagram)) => datagram,
                    Ok(()) | Err(TrySendError::Full(_)) => return None,
                }
            }
        };
        self.by_conversation.retain(|_, client| !client.queue.is_closed());
        if self.by_conversation.len() >= CLIENTS
            && let Some((&oldest, _)) = self.by_conversation.iter().min_by_key(|(_, client)| client.last)
        {
            self.by_conversation.remove(&oldest);
        }
        let (queue, receiver) = channel(QUEUE);
        // It is empty.
        let _ = queue.try_send(datagram);
        let last = self.now;
        self.by_conversation.insert(client, Client { queue, last });
        Some(receiver)
    }
}

/// Forwards one client's datagrams until it is silent, or has to make room.
async fn session<C: Connector>(
    host: &Datagrams,
    client: Conversation,
    mut queue: Receiver<Bytes>,
    to: SocketAddr,
    connector: &C,
) -> io::Result<()> {
    let socket = time::timeout(CONNECT_LIMIT, connect(to, connector)).await??;
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            datagram = queue.recv() => match datagram {
                // It is lost where nobody listens, as in any network.
                Some(datagram) => drop(socket.send(&datagram).await),
                None => return Ok(()),
            },
            received = socket.recv(&mut buffer) => match received {
                Ok(count) => drop(host.answer(&buffer[..count], client).await),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(error) => return Err(error),
            },
            () = time::sleep(IDLE) => return Ok(()),
        }
    }
}

async fn connect<C: Connector>(to: SocketAddr, connector: &C) -> io::Result<UdpSocket> {
    let kind = if to.is_ipv6() {
        SocketKind::Udp6
    } else {
        SocketKind::Udp4
    };
    let socket = StdUdpSocket::from(connector.socket(kind).await?);
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    socket.connect(to).await?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_silent_make_room() {
        let client = |n: u16| Conversation {
            client: SocketAddr::from(([192, 0, 2, 1], n)),
            asked: [192, 0, 2, 2].into(),
        };
        let mut clients = Clients::default();
        let datagram = Bytes::from_static(b"x");
        let mut queues: Vec<_> = (1..=256)
            .map(|n| clients.deliver(client(n), datagram.clone()))
            .collect();
        assert!(queues.iter().all(Option::is_some));
        assert!(clients.deliver(client(1), datagram.clone()).is_none());
        let newest = clients.deliver(client(1000), datagram.clone());
        assert!(newest.is_some());
        assert!(clients.by_conversation.contains_key(&client(1)));
        assert!(
            !clients.by_conversation.contains_key(&client(2)),
            "silent longest"
        );
        // A session that ended is begun again, and what has no room is lost.
        queues[0] = None;
        assert!(clients.deliver(client(1), datagram.clone()).is_some());
        for _ in 0..2 * QUEUE {
            assert!(clients.deliver(client(3), datagram.clone()).is_none());
        }
    }
}
