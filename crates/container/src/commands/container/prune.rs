//! `container prune`: delete all stopped containers.

use clap::Args;
use container_client::ApiClient;
use container_client::api::ContainerFilter;
use container_ipc::Error;
use container_resource::ContainerState;
use container_resource::size::file_size;

use super::targets::is_machine;
use crate::error::Outcome;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Prune {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let filter = ContainerFilter {
            status: Some(ContainerState::Stopped),
            ..ContainerFilter::default()
        };
        let mut reclaimed = 0;
        for container in api.list(filter).await? {
            if is_machine(&container) {
                continue;
            }
            match delete(&api, &container.id).await {
                Ok(size) => {
                    reclaimed += size;
                    output::print_line(&container.id);
                }
                Err(error) => {
                    let details = [("id", container.id.as_str()), ("error", &error.long_form())];
                    log::info("failed to prune container", &details);
                }
            }
        }
        output::print_error(&format!("Reclaimed {} in disk space", file_size(reclaimed)));
        Ok(0)
    }
}

/// Deletes a container that still does not run; gives what that freed, in bytes.
async fn delete(api: &ApiClient, id: &str) -> Result<u64, Error> {
    // Measured last thing before: what several containers share is freed with the last of them.
    let size = api.disk_usage(id).await?;
    api.delete(id, false).await?;
    Ok(size)
}
