//! `container attach`: take part in a running container's process, and end with it. Apple's tool has no such command.

use clap::Args;
use container_client::api::ProcessReference;

use super::launch::no_streams;
use crate::error::{Failure, Outcome};
use crate::process::{self, Attachment};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container attach`.
#[derive(Args, Debug, Clone)]
pub struct Attach {
    /// Leave the input alone.
    #[arg(long, help = "Do not pass standard input on")]
    pub no_stdin: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Attach {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let id = self.container_id;
        let container = api.get(&id).await?;
        if !container.status.state.is_up() {
            return Err(Failure::error(format!("container {id} is not running")));
        }
        let attachment = Attachment {
            interactive: container.configuration.open_stdin && !self.no_stdin,
            tty: container.configuration.init_process.terminal,
            detached: false,
        };
        process::check(attachment)?;
        let (stdio, streams) = process::open(attachment).map_err(no_streams)?;
        api.attach(&id, stdio).await?;
        let process = ProcessReference {
            process_identifier: id.clone(),
            id,
        };
        process::join(&api, process, streams, attachment)?.attend().await
    }
}
