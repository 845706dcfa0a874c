//! A process's standard input: from the client to the guest.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, poll};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The largest piece read at once.
const CHUNK: usize = 64 << 10;

/// Moves `client` into `stream` until either ends or `exited` fires. The end of the input closes the stream.
///
/// # Errors
/// No pipe or thread can be made.
pub(crate) fn forward_input(
    client: OwnedFd,
    mut stream: impl AsyncWrite + Unpin + Send + 'static,
    exited: CancellationToken,
) -> io::Result<()> {
    let (stop, stopper) = io::pipe()?;
    let stop = OwnedFd::from(stop);
    let (queue, mut chunks) = mpsc::channel(1);
    thread::Builder::new()
        .name("input".to_owned())
        .stack_size(128 << 10)
        .spawn(move || read(&client, &stop, &queue))?;
    tokio::spawn(async move {
        let forward = async {
            while let Some(chunk) = chunks.recv().await {
                stream.write_all(&chunk).await?;
                stream.flush().await?;
            }
            stream.shutdown().await
        };
        tokio::select! {
            // A process that closed its input reads nothing more; that is its right.
            _ = forward => {}
            () = exited.cancelled() => {}
        }
        // Closing the pipe wakes the thread, which may wait for a client that never writes.
        drop(stopper);
    });
    Ok(())
}

fn read(client: &OwnedFd, stop: &OwnedFd, queue: &mpsc::Sender<Bytes>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let mut ready = [
            PollFd::from_borrowed_fd(client.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(stop.as_fd(), PollFlags::IN),
        ];
        match poll(&mut ready, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) if !ready[1].revents().is_empty() => return,
            Ok(_) => {}
        }
        match rustix::io::read(client, &mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                if queue
                    .blocking_send(Bytes::copy_from_slice(&buffer[..count]))
                    .is_err()
                {
                    return;
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => return,
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
        forward_input(reader, stream, CancellationToken::new())?;
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
        forward_input(reader, stream, exited.clone())?;
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
}
