//! `container image inspect`: print full JSON of images.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "images", required = true)]
    pub images: Vec<String>,
}
