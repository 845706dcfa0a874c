//! OverlayChanges: what a container has changed of its image, as a list or as an OCI layer. An addition to Apple's
//! service.

mod layer;
mod list;
mod walk;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use container_sandbox::proto::overlay_changes_request::Format;
use container_sandbox::proto::{OverlayChangesRequest, OverlayChangesResponse};
use tokio_util::io::SyncIoBridge;

use crate::cgroup::Cgroup;
use crate::error::{Context, Result, blocking};
use crate::process::Processes;
use crate::transport::Transport;
use layer::Layer;
use list::List;
use walk::Walk;

/// Bytes that are sent at a time.
const CHUNK: usize = 128 << 10;

pub(super) async fn tell(
    transport: &Transport,
    processes: &Processes,
    request: OverlayChangesRequest,
) -> Result<OverlayChangesResponse> {
    let port = request.vsock_port;
    let stream = transport
        .connect(port)
        .await
        .context(|| format!("failed to connect to host port {port}"))?;
    let mut stream = SyncIoBridge::new(stream);
    let frozen = match request.frozen_container.as_str() {
        "" => None,
        id => Some(processes.container(id)?),
    };
    blocking(move || {
        let cgroup = frozen.as_ref().and_then(|container| container.cgroup());
        let _frozen = cgroup.map(Cgroup::freeze).transpose()?;
        let what = || format!("failed to read the changes in {}", request.upper);
        write(&request, BufWriter::with_capacity(CHUNK, &mut stream)).context(what)?;
        stream.shutdown().context(what)?;
        Ok(OverlayChangesResponse {})
    })
    .await
}

fn write(request: &OverlayChangesRequest, mut to: impl Write) -> io::Result<()> {
    let excluded = request.excluded.iter().map(PathBuf::from).collect();
    let (upper, lower) = (Path::new(&request.upper), Path::new(&request.lower));
    match request.format() {
        Format::List => Walk::new(List::new(&mut to), excluded).run(upper, lower)?,
        Format::Layer => {
            let mut layer = Layer::new(&mut to);
            Walk::new(&mut layer, excluded).run(upper, lower)?;
            layer.finish()?;
        }
    }
    to.flush()
}

#[cfg(test)]
mod tests;
