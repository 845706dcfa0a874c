//! Options for logging.

use clap::Args;

/// Options for logging.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Logging options")]
pub struct LoggingFlags {
    /// Emit debug-level log lines on stderr.
    #[arg(long)]
    pub debug: bool,
}
