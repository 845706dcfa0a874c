//! `container logs`: print container output or boot log.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container logs`.
#[derive(Args, Debug, Clone)]
pub struct Logs {
    /// VM boot log instead of stdio.
    #[arg(long)]
    pub boot: bool,
    /// Keep following.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Last N lines.
    #[arg(short = 'n', value_name = "n")]
    pub lines: Option<i64>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}
