//! `container image push`: push an image.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::progress::ProgressFlags;
use crate::flags::registry::RegistryFlags;

/// Arguments of `container image push`.
#[derive(Args, Debug, Clone)]
pub struct Push {
    /// Architecture to push.
    #[arg(short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Operating system to push.
    #[arg(long, value_name = "os")]
    pub os: Option<String>,
    /// Platform to push; wins over --os/--arch.
    #[arg(
        long,
        value_name = "platform",
        help = "Platform to push; wins over --os/--arch: os/arch[/variant]"
    )]
    pub platform: Option<String>,
    /// Image reference.
    #[arg(value_name = "reference")]
    pub reference: String,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Progress display.
    #[command(flatten)]
    pub progress: ProgressFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
