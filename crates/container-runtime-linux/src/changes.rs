//! What the container has changed of its image: read by the agent, written to a descriptor of the client.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;

use container_client::api::{ChangesFormat, ChangesOptions};
use container_ipc::{Error, ErrorCode};
use container_resource::ContainerConfiguration;
use container_sandbox::proto::OverlayChangesRequest;
use container_sandbox::proto::overlay_changes_request::Format;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::process::{Guest, Port};
use crate::{guest, spec};

/// How long nothing may come, in seconds a walk through any number of unchanged directories takes.
const SILENCE: Duration = Duration::from_secs(60);
/// The largest piece moved at once.
const CHUNK: usize = 128 << 10;

/// Writes the changes to `output`. With `freeze` the container's processes stand still meanwhile.
///
/// # Errors
/// The agent does not know how or cannot read something, `output` cannot be written, or nothing comes any more.
pub(crate) async fn write(
    guest: &Guest,
    configuration: &ContainerConfiguration,
    options: ChangesOptions,
    output: OwnedFd,
) -> Result<(), Error> {
    let port = guest.listen()?;
    let paths = guest::layers(&guest.container);
    let request = OverlayChangesRequest {
        upper: paths.upper,
        lower: paths.lower,
        excluded: spec::own_paths(configuration),
        format: match options.format {
            ChangesFormat::List => Format::List,
            ChangesFormat::Layer => Format::Layer,
        }
        .into(),
        vsock_port: port.number,
        frozen_container: if options.freeze {
            guest.container.clone()
        } else {
            String::new()
        },
    };
    tokio::try_join!(guest.agent.overlay_changes(request), receive(port, output))?;
    Ok(())
}

async fn receive(mut port: Port, output: OwnedFd) -> Result<(), Error> {
    let silent = |_| Error::new(ErrorCode::Timeout, "the guest agent does not answer");
    let accepted = timeout(SILENCE, port.listener.accept()).await.map_err(silent)?;
    let mut stream = accepted.map_err(crate::Error::from)?;
    // Writing to a file or a pipe may take any time, which the other tasks of this thread must not.
    let (queue, mut chunks) = mpsc::channel::<Vec<u8>>(4);
    let writing = tokio::task::spawn_blocking(move || -> std::io::Result<()> {
        let mut output = File::from(output);
        while let Some(chunk) = chunks.blocking_recv() {
            output.write_all(&chunk)?;
        }
        Ok(())
    });
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = timeout(SILENCE, stream.read_buf(&mut chunk))
            .await
            .map_err(silent)?;
        let read =
            read.map_err(|error| Error::internal(format!("failed to read from the guest: {error}")))?;
        // A writer that is gone says why below.
        if read == 0 || queue.send(chunk).await.is_err() {
            break;
        }
    }
    drop(queue);
    let written = writing.await.map_err(std::io::Error::other).flatten();
    written.map_err(|error| Error::internal(format!("failed to write the changes: {error}")))
}
