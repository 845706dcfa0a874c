//! `container image prune`: remove dangling images.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Every image no container uses.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
