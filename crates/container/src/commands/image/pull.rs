//! `container image pull`: pull an image.

use clap::Args;

use super::transfer_platform;
use crate::error::Outcome;
use crate::fetch;
use crate::progress::Progress;
use crate::services::Services;

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

impl Pull {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let how = fetch::how(&system, &self.registry, &self.image_fetch)?;
        let platform = transfer_platform(self.platform.as_deref(), self.os.as_deref(), self.arch.as_deref())?;
        let images = services.images().await?;
        let mut progress = Progress::new(self.progress.progress, 2);
        progress.step("Fetching image");
        let image = images
            .pull(&self.reference, platform.as_ref(), &how, progress.sender())
            .await?;
        progress.step("Unpacking image");
        images
            .unpack(&image, platform.as_ref(), progress.sender())
            .await?;
        progress.finish();
        Ok(0)
    }
}
