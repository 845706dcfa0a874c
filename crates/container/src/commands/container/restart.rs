//! `container restart`: stop containers and start them again. Apple's tool has no such command.

use clap::Args;
use container_client::api::{ContainerRestartRequest, StopOptions};

use super::launch::dynamic_environment;
use super::targets::{Candidates, each, grace_period, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container restart`.
#[derive(Args, Debug, Clone)]
pub struct Restart {
    /// Signal.
    #[arg(short = 's', long, value_name = "signal", help = "Signal: name or number")]
    pub signal: Option<String>,
    /// Grace period in seconds.
    #[arg(
        short = 't',
        long,
        value_name = "time",
        help = "Grace period in seconds; 5 when absent, or the container's own"
    )]
    pub time: Option<i32>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Restart {
    pub(super) async fn run(self) -> Outcome {
        let timeout_in_seconds = grace_period(self.time)?;
        let api = Services::from_environment()?.api().await?;
        let candidates = Candidates {
            all: false,
            conflict: "container IDs",
            only_running: false,
        };
        let ids = resolve(&api, self.container_ids, candidates).await?;
        let options = StopOptions {
            timeout_in_seconds,
            signal: self.signal,
            ..StopOptions::default()
        };
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
