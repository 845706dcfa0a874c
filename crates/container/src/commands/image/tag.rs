//! `container image tag`: add a reference to an image.

use clap::Args;
use container_ipc::Error;
use container_resource::Reference;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image tag`.
#[derive(Args, Debug, Clone)]
pub struct Tag {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image reference.
    #[arg(value_name = "source")]
    pub source: String,
    /// New image reference.
    #[arg(value_name = "target")]
    pub target: String,
}

impl Tag {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let domain = &system.registry.domain;
        let images = services.images().await?;
        let source = images.get(&self.source, domain).await?;
        let target = Reference::parse_normalized(&self.target, domain)
            .map_err(|error| Error::invalid_argument(error.to_string()))?;
        images.tag(&source.reference, &target.to_string()).await?;
        output::print_line(&self.target);
        Ok(0)
    }
}
