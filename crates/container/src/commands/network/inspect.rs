//! `container network inspect`: print JSON of networks.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Network names.
    #[arg(value_name = "networks", required = true)]
    pub networks: Vec<String>,
}
