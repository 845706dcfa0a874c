//! `container image tag`: add a reference to an image.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image tag`.
#[derive(Args, Debug, Clone)]
pub struct Tag {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image reference.
    #[arg(value_name = "source")]
    pub source: String,
    /// New image reference.
    #[arg(value_name = "target")]
    pub target: String,
}
