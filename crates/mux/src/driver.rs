use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::LinkError;
use crate::frame::{self, HEADER_LEN, MAX_PAYLOAD};
use crate::state::{BATCH, Shared};

const READ_BUFFER: usize = 2 * BATCH;

/// Rounds of reading and writing before other tasks of the runtime get their turn.
const ROUNDS: usize = 16;

/// The task that moves frames between the link's byte stream and its streams.
pub(crate) struct Driver<Io> {
    io: Io,
    shared: Arc<Shared>,
    input: Box<[u8]>,
    /// The bytes of `input` that came and are not parsed yet.
    start: usize,
    end: usize,
    output: Vec<u8>,
    written: usize,
    /// Writing failed. What the peer sent before it left is still worth reading.
    deaf: bool,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Driver<Io> {
    pub(crate) fn new(io: Io, shared: Arc<Shared>) -> Self {
        Self {
            io,
            shared,
            input: vec![0; READ_BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            output: Vec::with_capacity(BATCH + HEADER_LEN + MAX_PAYLOAD),
            written: 0,
            deaf: false,
        }
    }

    /// Writes until nothing is left or the link takes no more.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.written == self.output.len() {
                self.output.clear();
                self.written = 0;
                let mut state = self.shared.lock();
                state.fill(&mut self.output);
                if self.output.is_empty() {
                    return Poll::Ready(());
                }
            }
            if self.deaf {
                self.written = self.output.len();
                continue;
            }
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.output[self.written..])) {
                Ok(amount) if amount > 0 => self.written += amount,
                Ok(_) | Err(_) => self.deaf = true,
            }
        }
    }

    /// Reads once and takes in every frame that is complete.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.input.len() - self.start < HEADER_LEN + MAX_PAYLOAD {
            self.input.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut space = ReadBuf::new(&mut self.input[self.end..]);
        match ready!(Pin::new(&mut self.io).poll_read(cx, &mut space)) {
            Ok(()) if space.filled().is_empty() => return Poll::Ready(Err(LinkError::PeerClosed)),
            Ok(()) => self.end += space.filled().len(),
            // A socket's peer that vanished with unread bytes resets it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Poll::Ready(Err(LinkError::PeerClosed));
            }
            Err(error) => return Poll::Ready(Err(LinkError::Io(Arc::new(error)))),
        }
        let mut state = self.shared.lock();
        while let Some((frame, length)) = frame::parse(&self.input[self.start..self.end])? {
            state.receive(frame)?;
            self.start += length;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<LinkError> {
        self.shared.lock().set_driver(cx.waker());
        for _ in 0..ROUNDS {
            let output = self.poll_output(cx);
            let state = self.shared.lock();
            if output.is_ready() && state.finished() {
                return Poll::Ready(LinkError::Dropped);
            }
            // The writes above are what makes room again, so their waker is the one to wait for.
            if !state.accepts_input() && output.is_pending() {
                return Poll::Pending;
            }
            drop(state);
            match self.poll_input(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(error),
                Poll::Pending if output.is_pending() || self.shared.lock().idle() => return Poll::Pending,
                Poll::Pending => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Future for Driver<Io> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let error = ready!(self.poll_link(cx));
        if !matches!(error, LinkError::PeerClosed | LinkError::Dropped) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the link to the peer failed"
            );
        }
        self.shared.lock().close(error);
        Poll::Ready(())
    }
}

impl<Io> Drop for Driver<Io> {
    fn drop(&mut self) {
        // The runtime that ran this task is gone: nobody moves the streams any more.
        let mut state = self.shared.lock();
        if state.down().is_none() {
            state.close(LinkError::Dropped);
        }
    }
}
