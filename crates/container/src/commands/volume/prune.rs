//! `container volume prune`: delete unreferenced volumes.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
