//! `container volume delete`: delete volumes.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every volume.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Names.
    #[arg(value_name = "names")]
    pub names: Vec<String>,
}
