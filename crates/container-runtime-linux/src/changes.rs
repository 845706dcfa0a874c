//! What the container has changed of its image: read by the agent, written to a descriptor of the client.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use container_client::api::{ChangesFormat, ChangesOptions};
use container_ipc::Error;
use container_resource::ContainerConfiguration;
use container_sandbox::proto::OverlayChangesRequest;
use container_sandbox::proto::overlay_changes_request::Format;

use crate::process::Guest;
use crate::service::Runtime;
use crate::{guest, spec, transfer};

impl Runtime {
    /// Writes what the container has changed of its image to `output`; the machine of a stopped one is booted for that.
    ///
    /// # Errors
    /// The changes cannot be read or written, or the machine does not come up or is just starting or ending.
    pub async fn changes(self: &Arc<Self>, options: ChangesOptions, output: OwnedFd) -> Result<(), Error> {
        let files = self.open_files(false).await?;
        let options = ChangesOptions {
            freeze: options.freeze && !files.offline,
            ..options
        };
        let turn = self.freezing.lock().await;
        let configuration = &self.container.configuration;
        let written = write(&files.guest, configuration, options, output);
        let written = self.unless_stopped(written).await;
        drop(turn);
        self.close_files(files).await;
        written
    }
}

/// Writes the changes to `output`. With `freeze` the container's processes stand still meanwhile.
///
/// # Errors
/// The agent does not know how or cannot read something, `output` cannot be written, or nothing comes any more.
async fn write(
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
    let told = async { guest.agent.overlay_changes(request).await.map(drop) };
    transfer::alongside(told, transfer::receive(port, output)).await
}
