//! `container system logs`: service log.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system logs`.
#[derive(Args, Debug, Clone)]
pub struct Logs {
    /// Stream.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Look-back window.
    #[arg(
        long,
        value_name = "last",
        default_value = "5m",
        help = "Look-back window: <number>[m|h|d]"
    )]
    pub last: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
