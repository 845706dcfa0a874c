//! `container inspect`: print full JSON of containers.

use std::collections::BTreeSet;

use clap::Args;
use container_client::api::ContainerFilter;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Inspect {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let ids: BTreeSet<String> = self.container_ids.into_iter().collect();
        let filter = ContainerFilter {
            ids: ids.iter().cloned().collect(),
            ..ContainerFilter::default()
        };
        let containers = api.list(filter).await?;
        output::inspected::print("container", &ids, &containers, |container| &container.id)
    }
}
