//! `container volume inspect`: print JSON of volumes.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Names.
    #[arg(value_name = "names", required = true)]
    pub names: Vec<String>,
}
