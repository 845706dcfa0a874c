//! `container prune`: delete all stopped containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container prune`.
#[derive(Args, Debug, Clone)]
pub struct Prune {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
