//! `container machine inspect`: print JSON of one machine.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container machine inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Default machine when absent.
    #[arg(value_name = "id")]
    pub id: Option<String>,
}
