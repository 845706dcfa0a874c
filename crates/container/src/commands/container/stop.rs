//! `container stop`: stop running containers.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// All (non-machine) containers.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Signal.
    #[arg(short = 's', long, value_name = "signal", help = "Signal: name or number")]
    pub signal: Option<String>,
    /// Grace period in seconds.
    #[arg(short = 't', long, value_name = "time", default_value = "5")]
    pub time: i32,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}
