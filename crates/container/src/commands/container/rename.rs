//! `container rename`: give a stopped container another id. Apple's tool has no such command.

use clap::Args;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container rename`.
#[derive(Args, Debug, Clone)]
pub struct Rename {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
    /// The id from now on.
    #[arg(value_name = "new-id")]
    pub new_id: String,
}

impl Rename {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        api.rename(&self.container_id, &self.new_id).await?;
        output::print_line(&self.new_id);
        Ok(0)
    }
}
