//! A process's standard input: from clients to the guest.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The largest piece read at once.
const CHUNK: usize = 64 << 10;

/// A process's standard input, which any number of clients write to.
#[derive(Debug)]
pub(crate) struct Input {
    queue: mpsc::Sender<Piece>,
    /// Hangs up when nothing is read any more.
    stop: Arc<OwnedFd>,
}

/// What a client has to say.
#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

impl Input {
    /// Starts moving what clients write into `stream`, until one ends it, the process reads no more, or `exited` fires.
    ///
    /// # Errors
    /// No pipe can be made.
    pub(crate) fn forward(
        mut stream: impl AsyncWrite + Unpin + Send + 'static,
        exited: CancellationToken,
    ) -> io::Result<Self> {
        let (stop, stopper) = io::pipe()?;
        let (queue, mut pieces) = mpsc::channel(1);
        tokio::spawn(async move {
            let forward = async {
                while let Some(Piece::Bytes(bytes)) = pieces.recv().await {
                    stream.write_all(&bytes).await?;
                    stream.flush().await?;
                }
                stream.shutdown().await
            };
            tokio::select! {
                // A process that closed its input reads nothing more; that is its right.
                _ = forward => {}
                () = exited.cancelled() => {}
            }
            // Closing the pipe wakes the threads, which may wait for clients that never write.
            drop(stopper);
        });
        Ok(Self {
            queue,
            stop: Arc::new(stop.into()),
        })
    }

    /// Adds a client. Its end is that of the input if `ends`, else others may go on.
    ///
    /// # Errors
    /// No thread can be made.
    pub(crate) fn add(&self, client: OwnedFd, ends: bool) -> io::Result<()> {
        let (queue, stop) = (self.queue.clone(), Arc::clone(&self.stop));
        thread::Builder::new()
            .name("input".to_owned())
            .stack_size(128 << 10)
            .spawn(move || {
                if read(&client, &stop, &queue) && ends {
                    // Nobody is there when the process has ended already.
                    let _ = queue.blocking_send(Piece::End);
                }
            })?;
        Ok(())
    }
}

/// Passes on what the client writes; the answer is whether it came to its own end.
fn read(client: &OwnedFd, stop: &OwnedFd, queue: &mpsc::Sender<Piece>) -> bool {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut ready = [
            PollFd::from_borrowed_fd(client.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return true,
            Ok(_) if !ready[1].revents().is_empty() => return false,
            Ok(_) => {}
        }
        match rustix::io::read(client, &mut buffer) {
            Ok(0) => return true,
            Ok(count) => {
                let bytes = Bytes::copy_from_slice(&buffer[..count]);
                if queue.blocking_send(Piece::Bytes(bytes)).is_err() {
                    return false;
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn passes_bytes_and_the_end() -> io::Result<()> {
        let (reader, writer) = rustix::pipe::pipe()?;
        let (stream, mut guest) = tokio::io::duplex(16);
        Input::forward(stream, CancellationToken::new())?.add(reader, true)?;
        File::from(writer).write_all(b"more bytes than fit at once")?;
        let mut text = String::new();
        guest.read_to_string(&mut text).await?;
        assert_eq!(text, "more bytes than fit at once");
        Ok(())
    }

    #[tokio::test]
    async fn ends_with_the_process_though_the_client_is_silent() -> io::Result<()> {
        let (reader, writer) = rustix::pipe::pipe()?;
        let (stream, mut guest) = tokio::io::duplex(16);
        let exited = CancellationToken::new();
        Input::forward(stream, exited.clone())?.add(reader, true)?;
        exited.cancel();
        assert_eq!(guest.read(&mut [0; 1]).await?, 0);
        // The thread lets go of its end, so the client's writes fail.
        let mut writer = File::from(writer);
        for _ in 0..1000 {
            if writer.write_all(b"x").is_err() {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        Err(io::Error::other("the reading thread still runs"))
    }

    #[tokio::test]
    async fn a_further_client_comes_and_goes() -> io::Result<()> {
        let (first, first_end) = rustix::pipe::pipe()?;
        let (second, second_end) = rustix::pipe::pipe()?;
        let (stream, mut guest) = tokio::io::duplex(16);
        let input = Input::forward(stream, CancellationToken::new())?;
        input.add(first, true)?;
        input.add(second, false)?;
        let mut read = [0; 3];
        File::from(second_end).write_all(b"two")?;
        guest.read_exact(&mut read).await?;
        assert_eq!(&read, b"two");
        File::from(first_end).write_all(b"one")?;
        let mut rest = String::new();
        guest.read_to_string(&mut rest).await?;
        assert_eq!(rest, "one", "only the first one's end is the end");
        Ok(())
    }
}
