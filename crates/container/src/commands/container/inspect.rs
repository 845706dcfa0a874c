//! `container inspect`: print full JSON of containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}
