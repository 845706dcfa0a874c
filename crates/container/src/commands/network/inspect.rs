//! `container network inspect`: print JSON of networks.

use std::collections::BTreeSet;

use clap::Args;
use container_resource::Network;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Network names.
    #[arg(value_name = "networks", required = true)]
    pub networks: Vec<String>,
}

impl Inspect {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let names: BTreeSet<String> = self.networks.into_iter().collect();
        let mut networks: Vec<Network> = api.networks().await?;
        networks.retain(|network| names.contains(&network.id));
        output::inspected::print("network", &names, &networks, |network| &network.id)
    }
}
