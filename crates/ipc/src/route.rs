//! What a call is: its name, its payloads, and what a handler is given.

use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;
use crate::transport::Peer;

/// One kind of call.
pub trait Route: 'static {
    /// The route's name on the wire (behaviour.md 27.3 to 27.7).
    const NAME: &'static str;

    /// How long a caller waits for the answer; `None` waits for ever (behaviour.md 27.10).
    const DEADLINE: Option<Duration> = Some(Duration::from_secs(60));

    /// What the caller sends.
    type Request: Serialize + DeserializeOwned + Send + 'static;

    /// What the service answers.
    type Response: Serialize + DeserializeOwned + Send + 'static;
}

/// An answer with the descriptors that travel with it.
#[derive(Debug)]
pub struct Reply<T> {
    /// The answer.
    pub value: T,
    /// At most [`MAX_DESCRIPTORS`](crate::MAX_DESCRIPTORS) descriptors; the sender's copies are closed once
    /// they are sent.
    pub fds: Vec<OwnedFd>,
}

impl<T> From<T> for Reply<T> {
    fn from(value: T) -> Self {
        Self {
            value,
            fds: Vec::new(),
        }
    }
}

/// A call as its handler sees it.
#[derive(Debug)]
pub struct Request<T> {
    /// What the caller sent.
    pub payload: T,
    /// The descriptors that came with it, close-on-exec.
    pub fds: Vec<OwnedFd>,
    /// Where to report progress; goes nowhere when the caller did not ask for it.
    pub progress: Progress,
    /// Who is calling.
    pub peer: Peer,
    /// The connection the call came in on.
    pub session: Session,
}

/// One client's connection, as seen by the service. Resources that a client holds only while it is connected
/// are released when [`closed`](Self::closed) resolves. Two sessions are equal when they are the same
/// connection.
#[derive(Clone, Debug)]
pub struct Session {
    pub(crate) id: u64,
    pub(crate) closed: CancellationToken,
}

impl Session {
    /// A number that no other session of this process has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Resolves when the peer has disconnected or the service has stopped. Since handlers are cancelled at
    /// that moment, wait for it in a task of its own.
    pub async fn closed(&self) {
        self.closed.cancelled().await;
    }
}

impl PartialEq for Session {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Session {}
