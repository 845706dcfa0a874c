//! `container network delete`: delete networks.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every user network.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Network names.
    #[arg(value_name = "network-names")]
    pub network_names: Vec<String>,
}
