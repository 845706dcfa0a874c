//! `container image pull`: pull an image.

use clap::Args;

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::logging::LoggingFlags;
use crate::flags::progress::ProgressFlags;
use crate::flags::registry::RegistryFlags;

/// Arguments of `container image pull`.
#[derive(Args, Debug, Clone)]
pub struct Pull {
    /// Architecture to pull.
    #[arg(short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Operating system to pull.
    #[arg(long, value_name = "os")]
    pub os: Option<String>,
    /// Platform to pull; wins over --os/--arch.
    #[arg(
        long,
        value_name = "platform",
        help = "Platform to pull; wins over --os/--arch: os/arch[/variant]"
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
    /// Downloading.
    #[command(flatten)]
    pub image_fetch: ImageFetchFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
