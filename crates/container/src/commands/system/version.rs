//! `container system version`: versions of CLI and API server.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container system version`.
#[derive(Args, Debug, Clone)]
pub struct Version {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
