//! `container start`: start a stopped container.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// Attach stdout/stderr.
    #[arg(short = 'a', long)]
    pub attach: bool,
    /// Attach stdin.
    #[arg(short = 'i', long)]
    pub interactive: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}
