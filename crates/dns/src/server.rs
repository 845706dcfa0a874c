//! The server: sockets in, messages out.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::answer::{Names, Verdict, answer};
use crate::forward::{Transport, forward, read_message, write_message};
use crate::resolvers::Resolvers;
use crate::wire;

/// How many questions may wait for other servers at the same time. Further ones fail at once.
const QUESTIONS: usize = 512;
/// How many TCP connections there may be. Further ones wait.
const CONNECTIONS: usize = 128;
/// How long a TCP connection may be silent.
const IDLE: Duration = Duration::from_secs(10);
/// How long to wait before accepting again when the process has run out of descriptors.
const PAUSE: Duration = Duration::from_millis(50);
/// The largest question in bytes.
const LARGEST: usize = 4096;

/// A name server. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    names: Arc<dyn Names>,
    resolvers: Resolvers,
    questions: Semaphore,
    connections: Arc<Semaphore>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("resolvers", &self.0.resolvers)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server that knows `names` and asks `resolvers` about the rest.
    pub fn new(names: Arc<dyn Names>, resolvers: Resolvers) -> Self {
        Self(Arc::new(Inner {
            names,
            resolvers,
            questions: Semaphore::new(QUESTIONS),
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }))
    }

    /// Answers what comes to `socket` until `stop`.
    pub async fn serve_udp(&self, socket: UdpSocket, stop: CancellationToken) {
        let socket = Arc::new(socket);
        let mut buffer = vec![0; LARGEST];
        loop {
            let received = tokio::select! {
                received = socket.recv_from(&mut buffer) => received,
                () = stop.cancelled() => return,
            };
            match received {
                Ok((length, peer)) => self.answer_udp(&socket, &buffer[..length], peer).await,
                // An earlier answer did not arrive.
                Err(error) => tracing::debug!(%error, "failed to receive a question"),
            }
        }
    }

    async fn answer_udp(&self, socket: &Arc<UdpSocket>, question: &[u8], peer: SocketAddr) {
        let reply = match answer(question, &*self.0.names) {
            Verdict::Ignore => return,
            Verdict::Reply(reply) => reply,
            Verdict::Forward => {
                let (server, socket, question) = (self.clone(), Arc::clone(socket), question.to_vec());
                tokio::spawn(async move {
                    let reply = server.ask_others(&question, Transport::Udp).await;
                    send(&socket, &wire::fit(&question, reply), peer).await;
                });
                return;
            }
        };
        send(socket, &reply, peer).await;
    }

    /// Answers what comes to `listener` until `stop`.
    pub async fn serve_tcp(&self, listener: TcpListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                accepted = self.accept(&listener) => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let (server, stop) = (self.clone(), stop.clone());
                    tokio::spawn(async move {
                        let _permit = permit;
                        tokio::select! {
                            _ = server.converse(stream) => {}
                            () = stop.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.0.connections).acquire_owned().await;
        let permit = permit.map_err(io::Error::other)?;
        Ok((listener.accept().await?.0, permit))
    }

    /// Answers the questions of one connection, one after the other.
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        loop {
            let question = timeout(IDLE, read_message(&mut stream)).await??;
            let reply = match answer(&question, &*self.0.names) {
                Verdict::Ignore => return Ok(()),
                Verdict::Reply(reply) => reply,
                Verdict::Forward => self.ask_others(&question, Transport::Tcp).await,
            };
            timeout(IDLE, write_message(&mut stream, &reply)).await??;
        }
    }

    /// The host's name servers' answer; a failure if there is none.
    async fn ask_others(&self, question: &[u8], transport: Transport) -> Vec<u8> {
        let reply = match self.0.questions.try_acquire() {
            Ok(_permit) => forward(question, &self.0.resolvers.current(), transport).await,
            Err(_) => None,
        };
        reply.unwrap_or_else(|| wire::failure(question, ResponseCode::ServFail))
    }
}

async fn send(socket: &UdpSocket, reply: &[u8], peer: SocketAddr) {
    if let Err(error) = socket.send_to(reply, peer).await {
        tracing::debug!(%error, "failed to send an answer");
    }
}
