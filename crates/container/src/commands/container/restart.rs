//! `container restart`: stop containers and start them again. Apple's tool has no such command.

use std::collections::BTreeMap;

use clap::Args;
use container_client::api::{ContainerBootstrapRequest, ProcessReference, StopOptions};
use container_client::stdio::StdioSet;
use container_client::{ApiClient, Stdio};
use container_ipc::Error;

use super::targets::{Candidates, each, resolve};
use crate::error::{Failure, Outcome};
use crate::log;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container restart`.
#[derive(Args, Debug, Clone)]
pub struct Restart {
    /// Signal.
    #[arg(short = 's', long, value_name = "signal", help = "Signal: name or number")]
    pub signal: Option<String>,
    /// Grace period in seconds.
    #[arg(short = 't', long, value_name = "time", default_value = "5")]
    pub time: i32,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Restart {
    pub(super) async fn run(self) -> Outcome {
        let timeout_in_seconds = u32::try_from(self.time)
            .map_err(|_| Failure::error(format!("invalid grace period '{}'", self.time)))?;
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
        };
        each(ids, |id| restart(api.clone(), id, options.clone())).await
    }
}

/// Stops a container, if it runs, and starts it in the background.
async fn restart(api: ApiClient, id: String, options: StopOptions) -> Result<(), Error> {
    api.stop(&id, options).await?;
    let started = start(&api, &id).await;
    if started.is_err() {
        let options = StopOptions {
            timeout_in_seconds: 0,
            signal: None,
        };
        if let Err(error) = api.stop(&id, options).await {
            log::debug("failed to stop container", &[("error", &error.long_form())]);
        }
    }
    started
}

async fn start(api: &ApiClient, id: &str) -> Result<(), Error> {
    let request = ContainerBootstrapRequest {
        id: id.to_owned(),
        stdio: StdioSet::default(),
        dynamic_env: BTreeMap::new(),
    };
    api.bootstrap(request, Stdio::default()).await?;
    let process = ProcessReference {
        id: id.to_owned(),
        process_identifier: id.to_owned(),
    };
    api.start_process(process).await.map(|_| ())
}
