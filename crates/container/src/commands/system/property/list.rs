//! `container system property list`: print the effective configuration.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::PropertyFormat;

/// Arguments of `container system property list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "toml")]
    pub format: PropertyFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
