//! `container machine list`: list machines.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::MachineListFormat;

/// Arguments of `container machine list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: MachineListFormat,
    /// Ids only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
