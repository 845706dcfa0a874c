//! `container volume create`: create a volume.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Label.
    #[arg(long, value_name = "label", help = "Label: key[=value]")]
    pub label: Vec<String>,
    /// Driver option.
    #[arg(
        long,
        value_name = "opt",
        help = "Driver option: size=<size> | journal=<writeback|ordered|journal>[:<size>]"
    )]
    pub opt: Vec<String>,
    /// Size.
    #[arg(short = 's', value_name = "s")]
    pub size: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Name.
    #[arg(value_name = "name")]
    pub name: String,
}
