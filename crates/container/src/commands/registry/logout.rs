//! `container registry logout`: remove credentials.

use clap::Args;

use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container registry logout`.
#[derive(Args, Debug, Clone)]
pub struct Logout {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Registry host.
    #[arg(value_name = "registry")]
    pub registry: String,
}

impl Logout {
    pub(super) async fn run(self) -> Outcome {
        let images = Services::from_environment()?.images().await?;
        images.logout(&self.registry).await?;
        Ok(0)
    }
}
