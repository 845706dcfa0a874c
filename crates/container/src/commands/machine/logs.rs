//! `container machine logs`: stdio or boot log.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container machine logs`.
#[derive(Args, Debug, Clone)]
pub struct Logs {
    /// Boot log.
    #[arg(long)]
    pub boot: bool,
    /// Follow.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Last N lines.
    #[arg(short = 'n', value_name = "n")]
    pub lines: Option<i64>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Id.
    #[arg(value_name = "id")]
    pub id: Option<String>,
}
