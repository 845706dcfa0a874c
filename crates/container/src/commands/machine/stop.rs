//! `container machine stop`: stop a machine.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ProgressKind;

/// Arguments of `container machine stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// Style of progress display.
    #[arg(
        help_heading = "Progress options",
        long,
        hide = true,
        value_name = "type",
        default_value = "auto"
    )]
    pub progress: ProgressKind,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Id.
    #[arg(value_name = "id")]
    pub id: Option<String>,
}
