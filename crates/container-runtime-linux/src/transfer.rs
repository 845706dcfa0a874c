//! Bytes between a descriptor of a client and a port of the guest.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use container_hypervisor::Connection;
use container_ipc::{Error, ErrorCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::process::Port;

/// How long the guest may be silent: a walk through any number of directories takes less.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may neither read nor write, such as one whose output somebody looks at page by page.
const STALL: Duration = Duration::from_secs(600);
/// How long the agent may take to say why it broke a stream off.
const EXPLANATION: Duration = Duration::from_secs(2);
/// The largest piece moved at once.
const CHUNK: usize = 128 << 10;

/// Writes what the guest sends to `output`, until it closes the stream.
///
/// # Errors
/// `output` cannot be written, or nothing comes any more.
pub(crate) async fn receive(port: Port, output: OwnedFd) -> Result<(), Error> {
    let mut stream = accept(port).await?;
    // Writing to a file or a pipe may take any time, which the other tasks of this thread must not.
    let (queue, mut chunks) = mpsc::channel::<Vec<u8>>(4);
    let writing = tokio::task::spawn_blocking(move || -> io::Result<()> {
        let mut output = File::from(output);
        while let Some(chunk) = chunks.blocking_recv() {
            output.write_all(&chunk)?;
        }
        Ok(())
    });
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = timeout(SILENCE, stream.read_buf(&mut chunk)).await;
        let read = read.map_err(|_| silent())?.map_err(lost)?;
        if read == 0 {
            break;
        }
        match timeout(STALL, queue.send(chunk)).await {
            Ok(Ok(())) => {}
            // A writer that is gone says why below.
            Ok(Err(_)) => break,
            Err(_) => return Err(stalled("nobody reads the output")),
        }
    }
    drop(queue);
    let written = writing.await.map_err(io::Error::other).flatten();
    written.map_err(|error| Error::internal(format!("failed to write the output: {error}")))
}

/// Sends what `input` has to the guest, until its end. A guest that wants no more says why itself. The stream that is
/// returned must live until the guest has read everything: it is reset when it is dropped before.
///
/// # Errors
/// `input` cannot be read, or nothing comes any more.
pub(crate) async fn send(port: Port, input: OwnedFd) -> Result<Connection, Error> {
    let mut stream = accept(port).await?;
    let (queue, mut chunks) = mpsc::channel::<Vec<u8>>(4);
    let reading = tokio::task::spawn_blocking(move || -> io::Result<()> {
        let mut input = File::from(input);
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = match input.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            chunk.truncate(read);
            if read == 0 || queue.blocking_send(chunk).is_err() {
                return Ok(());
            }
        }
    });
    while let Some(chunk) = timeout(STALL, chunks.recv())
        .await
        .map_err(|_| stalled("the input does not come"))?
    {
        let written = timeout(SILENCE, stream.write_all(&chunk)).await;
        if written.map_err(|_| silent())?.is_err() {
            return Ok(stream);
        }
    }
    let read = reading.await.map_err(io::Error::other).flatten();
    read.map_err(|error| Error::internal(format!("failed to read the input: {error}")))?;
    // The guest may have closed it already.
    let _ = stream.shutdown().await;
    Ok(stream)
}

/// What the agent says of a transfer, and the transfer. When the guest breaks the stream off the agent says why.
///
/// # Errors
/// Those of both.
pub(crate) async fn alongside<T>(
    said: impl Future<Output = Result<(), Error>>,
    moved: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let (mut said, mut moved) = (pin!(said), pin!(moved));
    tokio::select! {
        said = &mut said => {
            said?;
            moved.await
        }
        moved = &mut moved => match moved {
            Ok(moved) => said.await.map(|()| moved),
            Err(error) if error.code == ErrorCode::Interrupted => {
                match timeout(EXPLANATION, said).await {
                    Ok(Err(why)) => Err(why),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

async fn accept(mut port: Port) -> Result<Connection, Error> {
    let accepted = timeout(SILENCE, port.listener.accept()).await;
    Ok(accepted.map_err(|_| silent())?.map_err(crate::Error::from)?)
}

fn silent() -> Error {
    Error::new(ErrorCode::Timeout, "the guest agent does not answer")
}

fn stalled(text: &str) -> Error {
    Error::new(ErrorCode::Timeout, text)
}

fn lost(error: io::Error) -> Error {
    Error::new(
        ErrorCode::Interrupted,
        format!("failed to read from the guest: {error}"),
    )
}
