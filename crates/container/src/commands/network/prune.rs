//! `container network prune`: delete unreferenced networks.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
