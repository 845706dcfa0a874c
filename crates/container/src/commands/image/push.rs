//! `container image push`: push an image.

use clap::Args;
use container_client::images::{Scheme, UnsupportedScheme};

use super::transfer_platform;
use crate::error::{Failure, Outcome};
use crate::output;
use crate::progress::Progress;
use crate::services::Services;

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

impl Push {
    pub(super) async fn run(self) -> Outcome {
        let scheme: Scheme = self
            .registry
            .scheme
            .parse()
            .map_err(|error: UnsupportedScheme| Failure::error(error.to_string()))?;
        let platform = transfer_platform(self.platform.as_deref(), self.os.as_deref(), self.arch.as_deref())?;
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let image = images.get(&self.reference, &system.registry.domain).await?;
        let mut progress = Progress::new(self.progress.progress, 1);
        progress.step(&format!("Pushing image {}", image.reference));
        images
            .push(
                &image,
                platform.as_ref(),
                scheme,
                system.dns.domain.as_deref(),
                progress.sender(),
            )
            .await?;
        progress.finish();
        output::print_line(&image.reference);
        Ok(0)
    }
}
