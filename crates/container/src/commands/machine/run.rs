//! `container machine run`: run a command or login shell in a machine (boots it when stopped).

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::passthrough::ExecutableAndArguments;
use crate::flags::process::ProcessFlags;

/// Arguments of `container machine run`.
#[derive(Args, Debug, Clone)]
pub struct Run {
    /// Machine id.
    #[arg(short = 'n', long, value_name = "name")]
    pub name: Option<String>,
    /// Do not wait.
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// Run as root.
    #[arg(long)]
    pub root: bool,
    /// The process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The words of the process.
    #[command(flatten)]
    pub command: ExecutableAndArguments,
}
