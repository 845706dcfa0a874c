//! `container image list`: list images.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container image list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Reference only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// One row per platform with sizes.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
