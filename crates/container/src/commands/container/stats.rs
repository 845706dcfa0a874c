//! `container stats`: resource usage of containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container stats`.
#[derive(Args, Debug, Clone)]
pub struct Stats {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// One sample instead of a live table.
    #[arg(long)]
    pub no_stream: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Default: all running.
    #[arg(value_name = "containers")]
    pub containers: Vec<String>,
}
