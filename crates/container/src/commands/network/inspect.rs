//! `container network inspect`: print JSON of networks.

use std::collections::BTreeSet;

use clap::Args;
use container_resource::Network;

use crate::error::{Failure, Outcome};
use crate::output::{self, json};
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
        let found = |name: &&str| networks.iter().any(|network| network.id == *name);
        let missing: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !found(name))
            .collect();
        if !missing.is_empty() {
            return Err(Failure::error(format!(
                "network not found: {}",
                missing.join(", ")
            )));
        }
        output::print_line(&json::pretty(&networks));
        Ok(0)
    }
}
