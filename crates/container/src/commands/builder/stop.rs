//! `container builder stop`: stop the builder.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container builder stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
