//! `container machine set-default`: choose the default machine.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container machine set-default`.
#[derive(Args, Debug, Clone)]
pub struct SetDefault {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Id.
    #[arg(value_name = "id")]
    pub id: String,
}
