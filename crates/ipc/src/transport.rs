//! The seam between platforms: how messages get from one process to the other.
//!
//! A transport moves whole messages, each some bytes and some descriptors, in order, between two processes
//! of one machine, and tells who the peer is. Nothing here knows about calls. The crate's `platform` module
//! is the implementation in use; the conformance tests are written against these traits.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;

use crate::endpoint::Endpoint;
use crate::error::Error;

/// Bytes and the descriptors that travel with them.
#[derive(Debug, Default)]
pub struct Message {
    /// At most [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES).
    pub body: Vec<u8>,
    /// At most [`MAX_DESCRIPTORS`](crate::MAX_DESCRIPTORS). Received ones are close-on-exec.
    pub fds: Vec<OwnedFd>,
}

/// Who is at the other end, as the kernel recorded it when the connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The effective user.
    pub uid: u32,
    /// The process, where the platform tells. It may have ended since.
    pub pid: Option<i32>,
}

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// message of {length} bytes exceeds the limit of {limit} bytes
    #[error("message of {length} bytes exceeds the limit of {limit} bytes")]
    Oversized {
        /// The announced length in bytes.
        length: usize,
        /// [`MAX_MESSAGE_BYTES`](crate::MAX_MESSAGE_BYTES).
        limit: usize,
    },
    /// the connection ended within a message
    #[error("the connection ended within a message")]
    Truncated,
    /// not a message
    #[error("not a message")]
    Malformed,
    /// a message with the wrong number of descriptors
    #[error("a message with the wrong number of descriptors")]
    Descriptors,
    /// The system's own error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Both ends of a transport.
pub trait Transport: fmt::Debug + 'static {
    /// The service's end before a client comes.
    type Listener: Listener<Connection = Self::Connection>;
    /// A connection between a client and a service.
    type Connection: Connection;

    /// Starts listening at `endpoint`. Fails with [`ErrorCode::Exists`](crate::ErrorCode::Exists) while
    /// another process listens there; what a dead one left behind is taken over.
    fn bind(endpoint: &Endpoint) -> Result<Self::Listener, Error>;

    /// Connects to the service at `endpoint`.
    fn connect(endpoint: &Endpoint) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

/// The service's end before a client comes. Dropping it removes the address.
pub trait Listener: fmt::Debug + Send + 'static {
    /// What [`accept`](Self::accept) gives.
    type Connection: Connection;

    /// Waits for the next client. Can be dropped while it waits.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
}

/// A connection that is not split yet.
pub trait Connection: fmt::Debug + Send + 'static {
    /// The half that sends.
    type Sender: Sender;
    /// The half that receives.
    type Receiver: Receiver;

    /// Who is at the other end.
    fn peer(&self) -> io::Result<Peer>;

    /// Both halves; each is used by a task of its own.
    fn split(self) -> (Self::Sender, Self::Receiver);
}

/// The half of a connection that sends.
pub trait Sender: fmt::Debug + Send + 'static {
    /// Sends one message, waiting for the peer to make room. A send that fails ends the connection: the
    /// receiving half still gives what has arrived, then its end. Must not be dropped while it runs, unless
    /// the sender is dropped too.
    fn send(&mut self, message: Message) -> impl Future<Output = io::Result<()>> + Send;
}

/// The half of a connection that receives.
pub trait Receiver: fmt::Debug + Send + 'static {
    /// The next message, or `None` when the peer has disconnected between two messages. Can be dropped while
    /// it runs without losing anything.
    fn receive(&mut self) -> impl Future<Output = Result<Option<Message>, ReceiveError>> + Send;
}
