use std::future::poll_fn;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::driver::Driver;
use crate::state::{Handle, Link, State};
use crate::{Error, LinkError, Listener, Side, Stream};

/// One end of a link. Clones share it; it lives until they and all its streams and listeners are dropped.
#[derive(Debug, Clone)]
pub struct Mux(Arc<Handle>);

impl Mux {
    /// Takes over `io` and spawns the task that reads and writes it.
    ///
    /// The peer may appear at any time. Ports that are listened on before the runtime runs that task are
    /// open before the peer can ask for them.
    ///
    /// # Panics
    /// There is no tokio runtime.
    pub fn new(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, side: Side) -> Self {
        let shared = State::shared(side);
        tokio::spawn(Driver::new(io, Arc::clone(&shared)));
        Self(Arc::new(Handle(shared)))
    }

    /// Opens a stream to a port of the peer, once the peer is there.
    ///
    /// # Errors
    /// [`Error::Refused`] when nobody listens there; the link is over; too many streams.
    pub async fn connect(&self, port: u32) -> Result<Stream, Error> {
        self.open(port, false).await
    }

    /// Opens a stream to a port of the peer, once the peer is there and listens on it. Never refused for want of
    /// a listener: dropping the future gives up.
    ///
    /// # Errors
    /// The listener's backlog is full; the link is over; too many streams.
    pub async fn connect_when_listening(&self, port: u32) -> Result<Stream, Error> {
        self.open(port, true).await
    }

    async fn open(&self, port: u32, wait: bool) -> Result<Stream, Error> {
        let key = self.0.0.lock().connect(port, wait)?;
        let stream = Stream::new(Arc::clone(&self.0), key, port);
        poll_fn(|cx| self.0.0.lock().poll_connect(stream.key(), port, cx)).await?;
        Ok(stream)
    }

    /// Listens on a port of this end.
    ///
    /// # Errors
    /// [`Error::PortInUse`]; the link is over.
    pub fn listen(&self, port: u32) -> Result<Listener, Error> {
        self.0.0.lock().listen(port)?;
        Ok(Listener::new(Arc::clone(&self.0), port))
    }

    /// Resolves when the peer is there for the first time.
    ///
    /// # Errors
    /// The link is over.
    pub async fn ready(&self) -> Result<(), LinkError> {
        let mut link = self.0.0.lock().watch();
        loop {
            match &*link.borrow_and_update() {
                Link::Waiting => {}
                Link::Up => return Ok(()),
                Link::Down(error) => return Err(error.clone()),
            }
            if link.changed().await.is_err() {
                return Err(LinkError::Dropped);
            }
        }
    }

    /// Resolves when the link is over, with the reason.
    pub async fn closed(&self) -> LinkError {
        let mut link = self.0.0.lock().watch();
        loop {
            if let Link::Down(error) = &*link.borrow_and_update() {
                return error.clone();
            }
            if link.changed().await.is_err() {
                return LinkError::Dropped;
            }
        }
    }
}
