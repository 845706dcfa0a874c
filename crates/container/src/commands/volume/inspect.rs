//! `container volume inspect`: print JSON of volumes.

use std::collections::BTreeSet;

use clap::Args;
use container_resource::Volume;

use crate::error::Outcome;
use crate::output;
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
        let mut volumes: Vec<Volume> = api.volumes().await?;
        volumes.retain(|volume| names.contains(&volume.id));
        output::inspected::print("volume", &names, &volumes, |volume| &volume.id)
    }
}
