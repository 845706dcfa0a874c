//! `container image load`: load images from an OCI layout tar.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image load`.
#[derive(Args, Debug, Clone)]
pub struct Load {
    /// Archive.
    #[arg(short = 'i', long, value_name = "input")]
    pub input: Option<String>,
    /// Continue when the archive holds rejected members.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
