//! The service's side of calls.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::frame::{Frame, MAX_DESCRIPTORS, MAX_IN_FLIGHT};
use crate::outgoing::{self, Outbox};
use crate::platform;
use crate::progress::Progress;
use crate::route::Session;
use crate::router::{Answer, Incoming, Router};
use crate::transport::{Connection, Listener, Message, Peer, ReceiveError, Receiver};

/// How long calls may still run, and replies be written, when the service stops or a peer stops reading.
const GRACE: Duration = Duration::from_secs(1);

/// How long to wait before accepting again when the process has run out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A peer with more calls than this in flight is disconnected. Twice what a client allows itself, because a
/// call ends here a little later than there.
const MAX_RUNNING: usize = 2 * MAX_IN_FLIGHT;

static NEXT_SESSION: AtomicU64 = AtomicU64::new(1);

/// Serves `router` to the clients of `listener` until `shutdown` is cancelled.
///
/// Only processes of this process's own effective user are served; others get `unauthorized request`. After
/// `shutdown` no further call is taken, calls in flight have a second to end, and their replies are written:
/// a handler may therefore cancel `shutdown` itself and still answer.
pub async fn serve(listener: platform::Listener, router: Router, shutdown: CancellationToken) {
    serve_with(listener, router, shutdown).await;
}

/// [`serve`] for any transport.
pub async fn serve_with<L: Listener>(mut listener: L, router: Router, shutdown: CancellationToken) {
    let router = Arc::new(router);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok(connection) => {
                    connections.spawn(serve_connection(connection, Arc::clone(&router), shutdown.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // The name is free before the last replies are out, so that a successor can start.
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_connection<C: Connection>(connection: C, router: Arc<Router>, shutdown: CancellationToken) {
    let peer = match connection.peer() {
        Ok(peer) => peer,
        Err(error) => return tracing::warn!(%error, "failed to identify a peer"),
    };
    let (sender, receiver) = connection.split();
    let (outbox, queue) = outgoing::queue();
    let mut writer = tokio::spawn(queue.write_to(sender));

    if peer.uid == rustix::process::geteuid().as_raw() {
        let closed = CancellationToken::new();
        let served = Served {
            router,
            outbox: outbox.clone(),
            peer,
            session: Session {
                id: NEXT_SESSION.fetch_add(1, Ordering::Relaxed),
                closed: closed.clone(),
            },
            handlers: JoinSet::new(),
            running: HashMap::new(),
        };
        let _closed = closed.drop_guard();
        served.run(receiver, &shutdown).await;
    } else {
        tracing::warn!(uid = peer.uid, pid = peer.pid, "refused a peer");
        outbox.urgent(&Frame::Refused {
            error: Error::invalid_state("unauthorized request"),
        });
    }

    outbox.end();
    if timeout_at(Instant::now() + GRACE, &mut writer).await.is_err() {
        writer.abort();
    }
}

/// One connection of an authorized peer.
struct Served {
    router: Arc<Router>,
    outbox: Outbox,
    peer: Peer,
    session: Session,
    handlers: JoinSet<u64>,
    running: HashMap<u64, AbortHandle>,
}

impl Served {
    async fn run(mut self, mut receiver: impl Receiver, shutdown: &CancellationToken) {
        loop {
            tokio::select! {
                received = receiver.receive() => {
                    if !self.receive(received) {
                        // Dropping the handlers cancels them.
                        return;
                    }
                }
                Some(ended) = self.handlers.join_next(), if !self.handlers.is_empty() => {
                    if let Ok(id) = ended {
                        self.running.remove(&id);
                    }
                }
                () = shutdown.cancelled() => break,
            }
        }
        let end = Instant::now() + GRACE;
        while let Ok(Some(_)) = timeout_at(end, self.handlers.join_next()).await {}
    }

    /// Takes one message; false when the connection is over.
    fn receive(&mut self, received: Result<Option<Message>, ReceiveError>) -> bool {
        let message = match received {
            Ok(Some(message)) => message,
            Ok(None) => return false,
            Err(ReceiveError::Io(error)) => {
                tracing::debug!(%error, "a peer is gone");
                return false;
            }
            Err(error) => return self.refuse(&error.to_string()),
        };
        match Frame::decode(&message.body) {
            Ok(Frame::Request {
                id,
                route,
                progress,
                payload,
            }) => {
                if self.running.contains_key(&id) {
                    return self.refuse("a call with the number of another one");
                }
                if self.running.len() >= MAX_RUNNING {
                    return self.refuse("too many calls in flight");
                }
                let progress = if progress {
                    Progress::to_peer(id, self.outbox.clone())
                } else {
                    Progress::none()
                };
                let incoming = Incoming {
                    payload,
                    fds: message.fds,
                    progress,
                    peer: self.peer,
                    session: self.session.clone(),
                };
                self.start(id, route, incoming);
                true
            }
            Ok(Frame::Cancel { id }) => {
                if let Some(handler) = self.running.remove(&id) {
                    handler.abort();
                }
                true
            }
            Ok(_) => self.refuse("not a call"),
            Err(error) => self.refuse(&error.to_string()),
        }
    }

    fn start(&mut self, id: u64, route: String, incoming: Incoming) {
        let handler = self.router.find(&route);
        let outbox = self.outbox.clone();
        let task = self.handlers.spawn(async move {
            let answer = match handler {
                // Also catches a panic of the part before the first await.
                Some(handler) => match AssertUnwindSafe(handler(incoming)).catch_unwind().await {
                    Ok(answer) => answer,
                    Err(_) => Err(Error::internal(format!("the handler of {route} panicked"))),
                },
                None => Err(Error::invalid_argument(format!("unknown route {route}"))),
            };
            let _ = outbox.send(encode(id, answer), None).await;
            id
        });
        self.running.insert(id, task);
    }

    fn refuse(&self, reason: &str) -> bool {
        tracing::warn!(reason, pid = self.peer.pid, "disconnected a peer");
        let error = Error::invalid_argument(format!("invalid request: {reason}"));
        self.outbox.urgent(&Frame::Refused { error });
        false
    }
}

fn encode(id: u64, answer: Answer) -> Message {
    let failure = |error: &Error| Frame::failure(id, error).encode();
    let encoded = match answer {
        Ok((_, fds)) if fds.len() > MAX_DESCRIPTORS => failure(&Error::internal(format!(
            "reply with {} descriptors exceeds the limit of {MAX_DESCRIPTORS}",
            fds.len()
        )))
        .map(|body| Message {
            body,
            fds: Vec::new(),
        }),
        Ok((payload, fds)) => Frame::Reply { id, payload }
            .encode()
            .map(|body| Message { body, fds }),
        Err(error) => failure(&error).map(|body| Message {
            body,
            fds: Vec::new(),
        }),
    };
    encoded.unwrap_or_else(|error| Message {
        body: failure(&error).unwrap_or_default(),
        fds: Vec::new(),
    })
}
