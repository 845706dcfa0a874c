//! `container machine set`: change boot settings.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container machine set`.
#[derive(Args, Debug, Clone)]
pub struct Set {
    /// Machine id.
    #[arg(short = 'n', long, value_name = "name")]
    pub name: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Key=value; keys cpus memory home-mount virtualization kernel.
    #[arg(value_name = "setting", required = true, trailing_var_arg = true)]
    pub setting: Vec<String>,
}
