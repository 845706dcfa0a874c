//! `container image delete`: delete images.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every (non infrastructure) image.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Ignore names that do not exist.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "images")]
    pub images: Vec<String>,
}
