//! `container stop`: stop running containers.

use clap::Args;

use super::targets::{Candidates, each, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::stop::StopFlags;

/// Arguments of `container stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// All (non-machine) containers.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// How they are stopped.
    #[command(flatten)]
    pub stop: StopFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}

impl Stop {
    pub(super) async fn run(self) -> Outcome {
        let candidates = Candidates {
            all: self.all,
            conflict: "container IDs",
            only_running: false,
        };
        candidates.check(&self.container_ids)?;
        let options = self.stop.options()?;
        let api = Services::from_environment()?.api().await?;
        let ids = resolve(&api, self.container_ids, candidates).await?;
        each(ids, |id| {
            let (api, options) = (api.clone(), options.clone());
            async move { api.stop(&id, options).await }
        })
        .await
    }
}
