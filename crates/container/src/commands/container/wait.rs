//! `container wait`: wait for the end of containers. Apple's tool has no such command.

use clap::Args;
use container_client::api::ProcessReference;

use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container wait`.
#[derive(Args, Debug, Clone)]
pub struct Wait {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Wait {
    /// Prints the exit status of each container's process, in the order of the ids. That of a stopped one is known.
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        // All are asked at once: a container that ends before its turn may be gone by then.
        let asked: Vec<_> = self
            .container_ids
            .into_iter()
            .map(|id| {
                let api = api.clone();
                let process = ProcessReference {
                    process_identifier: id.clone(),
                    id,
                };
                tokio::spawn(async move { api.wait(process).await })
            })
            .collect();
        let mut errors = Vec::new();
        for answer in asked {
            match answer.await {
                Ok(Ok(status)) => output::print_line(&status.exit_code.to_string()),
                Ok(Err(error)) => errors.push(error),
                Err(panic) => return Err(Failure::error(panic.to_string())),
            }
        }
        if errors.is_empty() {
            Ok(0)
        } else {
            Err(Failure::collected(&errors))
        }
    }
}
