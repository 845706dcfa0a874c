//! `container builder delete`: delete the builder.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container builder delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Even when running.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
