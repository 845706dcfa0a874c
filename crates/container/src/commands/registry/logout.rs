//! `container registry logout`: remove credentials.

use clap::Args;

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
