//! `container pause` and `container unpause`: freeze the processes of containers. Apple's tool has no such commands.

use clap::Args;

use super::targets::{Candidates, each, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container pause` and `container unpause`.
#[derive(Args, Debug, Clone)]
pub struct Pause {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Pause {
    /// Freezes the containers, or lets them go on.
    pub(super) async fn run(self, frozen: bool) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let candidates = Candidates {
            all: false,
            conflict: "container IDs",
            only_running: true,
        };
        let ids = resolve(&api, self.container_ids, candidates).await?;
        each(ids, |id| {
            let api = api.clone();
            async move { api.freeze(&id, frozen).await }
        })
        .await
    }
}
