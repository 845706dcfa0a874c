use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::state::{Handle, Key};

/// One full-duplex byte stream.
///
/// `shutdown` closes the sending direction: the peer reads what was written, then end of file. Flushing
/// waits until the link took everything. Dropping a stream that was shut down still delivers what was written;
/// dropping one that was not resets it: what the link had not taken yet is lost, and the peer's next read
/// after the last byte fails with [`io::ErrorKind::ConnectionReset`].
#[derive(Debug)]
pub struct Stream {
    handle: Arc<Handle>,
    key: Key,
    port: u32,
}

impl Stream {
    pub(crate) fn new(handle: Arc<Handle>, key: Key, port: u32) -> Self {
        Self { handle, key, port }
    }

    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The port that the opener of the stream asked for.
    #[must_use]
    pub fn port(&self) -> u32 {
        self.port
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.handle.0.lock().release(self.key);
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.handle.0.lock();
        let Some(entry) = state.entry(self.key) else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        if out.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let (amount, credit_due) = entry.read(out);
        if amount > 0 {
            if credit_due {
                state.mark(self.key);
            }
            return Poll::Ready(Ok(()));
        }
        if entry.peer_fin {
            return Poll::Ready(Ok(()));
        }
        if entry.gone.is_some() {
            return Poll::Ready(Err(entry.error(io::ErrorKind::ConnectionReset)));
        }
        entry.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.handle.0.lock();
        let Some(entry) = state.entry(self.key) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if entry.finished() || entry.gone.is_some() {
            return Poll::Ready(Err(entry.error(io::ErrorKind::BrokenPipe)));
        }
        let mut amount = 0;
        for slice in slices {
            let taken = entry.write(slice);
            amount += taken;
            if taken < slice.len() {
                break;
            }
        }
        if amount == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            entry.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.mark(self.key);
        Poll::Ready(Ok(amount))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.handle.0.lock();
        let Some(entry) = state.entry(self.key) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        if entry.link_down() && !entry.finished() {
            return Poll::Ready(Err(entry.error(io::ErrorKind::BrokenPipe)));
        }
        if entry.sending.is_empty() {
            return Poll::Ready(Ok(()));
        }
        entry.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.handle.0.lock();
        if let Some(entry) = state.entry(self.key) {
            entry.finish();
            state.mark(self.key);
        }
        Poll::Ready(Ok(()))
    }
}
