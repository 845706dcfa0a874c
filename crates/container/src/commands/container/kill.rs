//! `container kill`: send a signal to running containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container kill`.
#[derive(Args, Debug, Clone)]
pub struct Kill {
    /// All running containers.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Signal.
    #[arg(
        short = 's',
        long,
        value_name = "signal",
        default_value = "KILL",
        help = "Signal: name with or without SIG, or number"
    )]
    pub signal: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}
