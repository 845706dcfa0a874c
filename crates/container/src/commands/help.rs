//! `container help`: prints the help of a command path.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container help`.
#[derive(Args, Debug, Clone)]
pub struct Help {
    /// Words of a command path.
    #[arg(value_name = "subcommand-path", trailing_var_arg = true)]
    pub subcommand_path: Vec<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
