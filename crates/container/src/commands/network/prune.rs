//! `container network prune`: delete unreferenced networks.

use std::collections::HashSet;

use clap::Args;
use container_client::api::ContainerFilter;

use crate::error::Outcome;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Prune {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let networks = api.networks().await?;
        let containers = api.list(ContainerFilter::default()).await?;
        let attachments = containers
            .iter()
            .flat_map(|container| &container.configuration.networks);
        let used: HashSet<&str> = attachments
            .map(|attachment| attachment.network.as_str())
            .collect();
        let unused = networks
            .iter()
            .filter(|network| !network.configuration.is_builtin() && !used.contains(network.id.as_str()));
        for network in unused {
            match api.delete_network(&network.id).await {
                Ok(()) => output::print_line(&network.id),
                Err(error) => {
                    let details = [("id", network.id.as_str()), ("error", &error.to_string())];
                    log::info("failed to prune network", &details);
                }
            }
        }
        Ok(0)
    }
}
