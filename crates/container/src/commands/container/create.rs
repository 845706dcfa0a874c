//! `container create`: create a container without starting it.

use clap::Args;

use super::launch::write_cidfile;
use super::prepare::{Asked, prepare};
use crate::error::Outcome;
use crate::output;
use crate::progress::Progress;
use crate::services::Services;

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::logging::LoggingFlags;
use crate::flags::management::ManagementFlags;
use crate::flags::passthrough::ImageAndArguments;
use crate::flags::process::ProcessFlags;
use crate::flags::registry::RegistryFlags;
use crate::flags::resource::ResourceFlags;

/// Arguments of `container create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// The process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// Size of the VM.
    #[command(flatten)]
    pub resource: ResourceFlags,
    /// The container.
    #[command(flatten)]
    pub management: ManagementFlags,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Downloading.
    #[command(flatten)]
    pub image_fetch: ImageFetchFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The image, then the words for the process.
    #[command(flatten)]
    pub target: ImageAndArguments,
}

impl Create {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let api = services.api().await?;
        let mut progress = Progress::on_terminal(3);
        let (image, arguments) = self.target.split();
        let asked = Asked {
            process: &self.process,
            resource: &self.resource,
            management: &self.management,
            registry: &self.registry,
            image_fetch: &self.image_fetch,
            image: &image,
            arguments,
        };
        let request = prepare(&services, &api, asked, &progress).await?;
        let id = request.configuration.id.clone();
        api.create(request).await?;
        progress.finish();
        write_cidfile(self.management.cidfile.as_deref(), &id)?;
        output::print_line(&id);
        Ok(0)
    }
}
