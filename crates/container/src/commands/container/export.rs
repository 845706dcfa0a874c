//! `container export`: write the root filesystem of a container as a tar.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container export`.
#[derive(Args, Debug, Clone)]
pub struct Export {
    /// Target file.
    #[arg(short = 'o', long, value_name = "output")]
    pub output: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Id.
    #[arg(value_name = "id")]
    pub id: String,
}
