//! `container volume inspect`: print JSON of volumes.

use std::collections::BTreeSet;

use clap::Args;
use container_resource::Volume;

use crate::error::{Failure, Outcome};
use crate::output::{self, json};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Names.
    #[arg(value_name = "names", required = true)]
    pub names: Vec<String>,
}

impl Inspect {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let names: BTreeSet<String> = self.names.into_iter().collect();
        let volumes: Vec<Volume> = api.volumes().await?;
        let volumes: Vec<Volume> = volumes
            .into_iter()
            .filter(|volume| names.contains(&volume.id))
            .collect();
        let found = |name: &&str| volumes.iter().any(|volume| volume.id == *name);
        let missing: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !found(name))
            .collect();
        if !missing.is_empty() {
            return Err(Failure::error(format!(
                "volume not found: {}",
                missing.join(", ")
            )));
        }
        output::print_line(&json::pretty(&volumes));
        Ok(0)
    }
}
