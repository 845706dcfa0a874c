//! `container create`: create a container without starting it.

use clap::Args;

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
