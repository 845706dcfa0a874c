//! `container volume prune`: delete unreferenced volumes.

use std::collections::HashSet;

use clap::Args;
use container_client::ApiClient;
use container_client::api::ContainerFilter;
use container_ipc::Error;
use container_resource::size::file_size;

use crate::error::Outcome;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Prune {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let volumes = api.volumes().await?;
        let containers = api.list(ContainerFilter::default()).await?;
        let mounts = containers
            .iter()
            .flat_map(|container| &container.configuration.mounts);
        let used: HashSet<&str> = mounts.filter_map(|mount| mount.volume_name()).collect();
        let mut reclaimed = 0;
        for volume in volumes.iter().filter(|volume| !used.contains(volume.id.as_str())) {
            match delete(&api, &volume.id).await {
                Ok(size) => {
                    reclaimed += size;
                    output::print_line(&volume.id);
                }
                Err(error) => {
                    let details = [("id", volume.id.as_str()), ("error", &error.to_string())];
                    log::info("failed to prune volume", &details);
                }
            }
        }
        output::print_error(&format!("Reclaimed {} in disk space", file_size(reclaimed)));
        Ok(0)
    }
}

/// Deletes a volume that still nobody uses; gives what that freed, in bytes.
async fn delete(api: &ApiClient, name: &str) -> Result<u64, Error> {
    let size = api.volume_disk_usage(name).await?;
    api.delete_volume(name).await?;
    Ok(size)
}
