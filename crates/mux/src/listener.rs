use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::state::Handle;
use crate::{Error, Stream};

/// Accepts the streams that the peer opens to one port. Dropping it frees the port and resets those that wait.
#[derive(Debug)]
pub struct Listener {
    handle: Arc<Handle>,
    port: u32,
}

impl Listener {
    pub(crate) fn new(handle: Arc<Handle>, port: u32) -> Self {
        Self { handle, port }
    }

    /// The next stream. May be cancelled: no stream is lost.
    ///
    /// # Errors
    /// The link is over.
    pub async fn accept(&mut self) -> Result<Stream, Error> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept), for those who write their own futures.
    ///
    /// # Errors
    /// The link is over.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<Stream, Error>> {
        let accepted = self.handle.0.lock().poll_accept(self.port, cx);
        accepted.map(|accepted| Ok(Stream::new(Arc::clone(&self.handle), accepted?, self.port)))
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.handle.0.lock().unlisten(self.port);
    }
}
