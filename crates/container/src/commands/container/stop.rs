//! `container stop`: stop running containers.

use clap::Args;
use container_client::api::StopOptions;

use super::targets::{Candidates, each, grace_period, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// All (non-machine) containers.
    #[arg(short = 'a', long)]
    pub all: bool,
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
        let timeout_in_seconds = grace_period(self.time)?;
        let api = Services::from_environment()?.api().await?;
        let ids = resolve(&api, self.container_ids, candidates).await?;
        let options = StopOptions {
            timeout_in_seconds,
            signal: self.signal,
            ..StopOptions::default()
        };
        each(ids, |id| {
            let (api, options) = (api.clone(), options.clone());
            async move { api.stop(&id, options).await }
        })
        .await
    }
}
