//! `container image save`: save images as an OCI layout tar.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image save`.
#[derive(Args, Debug, Clone)]
pub struct Save {
    /// Architecture to save.
    #[arg(short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Operating system to save.
    #[arg(long, value_name = "os")]
    pub os: Option<String>,
    /// Archive.
    #[arg(short = 'o', long, value_name = "output")]
    pub output: Option<String>,
    /// Platform to save.
    #[arg(long, value_name = "platform", help = "Platform to save: os/arch[/variant]")]
    pub platform: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "references", required = true)]
    pub references: Vec<String>,
}
