//! `container builder status`: show the builder.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container builder status`.
#[derive(Args, Debug, Clone)]
pub struct Status {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Id only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
