//! `container delete`: delete containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every container (running ones only with --force).
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Also delete running containers.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}
