//! `container system status`: service status.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container system status`.
#[derive(Args, Debug, Clone)]
pub struct Status {
    /// Launchd label prefix.
    #[arg(
        short = 'p',
        long,
        value_name = "prefix",
        default_value = "com.apple.container."
    )]
    pub prefix: String,
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
