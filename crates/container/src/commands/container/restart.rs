//! `container restart`: stop containers and start them again. Apple's tool has no such command.

use clap::Args;
use container_client::api::ContainerRestartRequest;

use super::launch::dynamic_environment;
use super::targets::{Candidates, each, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::stop::StopFlags;

/// Arguments of `container restart`.
#[derive(Args, Debug, Clone)]
pub struct Restart {
    /// How they are stopped.
    #[command(flatten)]
    pub stop: StopFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Restart {
    pub(super) async fn run(self) -> Outcome {
        let options = self.stop.options()?;
        let api = Services::from_environment()?.api().await?;
        let candidates = Candidates {
            all: false,
            conflict: "container IDs",
            only_running: false,
        };
        let ids = resolve(&api, self.container_ids, candidates).await?;
        each(ids, |id| {
            let request = ContainerRestartRequest {
                id,
                stop_options: options.clone(),
                dynamic_env: dynamic_environment(),
            };
            let api = api.clone();
            async move { api.restart(request).await }
        })
        .await
    }
}
