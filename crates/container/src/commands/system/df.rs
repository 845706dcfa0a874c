//! `container system df`: disk usage.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container system df`.
#[derive(Args, Debug, Clone)]
pub struct Df {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
