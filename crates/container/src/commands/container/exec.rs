//! `container exec`: run an additional process in a running container.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::passthrough::ContainerAndCommand;
use crate::flags::process::ProcessFlags;

/// Arguments of `container exec`.
#[derive(Args, Debug, Clone)]
pub struct Exec {
    /// Do not wait, print the container id.
    #[arg(short = 'd', long)]
    pub detach: bool,
    /// The process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The container, then the words of the process.
    #[command(flatten)]
    pub target: ContainerAndCommand,
}
