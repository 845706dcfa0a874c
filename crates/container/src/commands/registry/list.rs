//! `container registry list`: list stored logins.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container registry list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Host names only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
