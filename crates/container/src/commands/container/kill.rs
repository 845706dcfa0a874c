//! `container kill`: send a signal to running containers.

use clap::Args;
use container_client::api::ProcessReference;

use super::targets::{Candidates, resolve};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container kill`.
#[derive(Args, Debug, Clone)]
pub struct Kill {
    /// All running containers.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Signal.
    #[arg(
        short = 's',
        long,
        value_name = "signal",
        default_value = "KILL",
        help = "Signal: name with or without SIG, or number"
    )]
    pub signal: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}

impl Kill {
    pub(super) async fn run(self) -> Outcome {
        let candidates = Candidates {
            all: self.all,
            conflict: "container IDs",
            only_running: true,
        };
        candidates.check(&self.container_ids)?;
        let api = Services::from_environment()?.api().await?;
        let mut errors = Vec::new();
        for id in resolve(&api, self.container_ids, candidates).await? {
            let process = ProcessReference {
                id: id.clone(),
                process_identifier: id.clone(),
            };
            match api.kill(process, &self.signal).await {
                Ok(()) => output::print_line(&id),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(0)
        } else {
            Err(Failure::collected(&errors))
        }
    }
}
