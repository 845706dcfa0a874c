//! `container system stop`: stop and deregister the services.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system stop`.
#[derive(Args, Debug, Clone)]
pub struct Stop {
    /// Launchd label prefix.
    #[arg(
        short = 'p',
        long,
        value_name = "prefix",
        default_value = "com.apple.container."
    )]
    pub prefix: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
