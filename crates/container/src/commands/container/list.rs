//! `container list`: list containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Include stopped ones.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Ids only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
