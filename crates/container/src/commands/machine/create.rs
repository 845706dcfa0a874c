//! `container machine create`: create (and boot) a machine from an image.

use clap::Args;

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::logging::LoggingFlags;
use crate::flags::progress::ProgressFlags;
use crate::flags::registry::RegistryFlags;
use crate::flags::values::HomeMount;

/// Arguments of `container machine create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Architecture.
    #[arg(help_heading = "Management options", short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Operating system.
    #[arg(
        help_heading = "Management options",
        long,
        value_name = "os",
        default_value = "linux"
    )]
    pub os: String,
    /// Platform.
    #[arg(
        help_heading = "Management options",
        long,
        value_name = "platform",
        help = "Platform: os/arch[/variant]"
    )]
    pub platform: Option<String>,
    /// Machine id.
    #[arg(
        short = 'n',
        long,
        value_name = "name",
        help = "Machine id: ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$ after lower-casing, at most 57 characters"
    )]
    pub name: Option<String>,
    /// Make it the default machine.
    #[arg(long)]
    pub set_default: bool,
    /// Do not boot after creation.
    #[arg(long)]
    pub no_boot: bool,
    /// Virtual CPUs.
    #[arg(long, value_name = "cpus")]
    pub cpus: Option<i64>,
    /// Memory.
    #[arg(long, value_name = "memory", help = "Memory: size >= 1 GiB")]
    pub memory: Option<String>,
    /// How the home directory is shared.
    #[arg(long, value_name = "home-mount", default_value = "rw")]
    pub home_mount: HomeMount,
    /// Nested virtualization.
    #[arg(long)]
    pub virtualization: bool,
    /// Kernel binary.
    #[arg(long, value_name = "kernel")]
    pub kernel: Option<String>,
    /// Image reference.
    #[arg(value_name = "image")]
    pub image: String,
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
