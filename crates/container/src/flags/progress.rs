//! Options for the progress display.

use clap::Args;

use super::values::ProgressKind;

/// Options for the progress display.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Progress options")]
pub struct ProgressFlags {
    /// Style of progress display.
    #[arg(long, value_name = "type", default_value = "auto")]
    pub progress: ProgressKind,
}
