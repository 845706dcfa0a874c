//! `container system start`: register and start the services.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// Data directory.
    #[arg(short = 'a', long, value_name = "app-root")]
    pub app_root: Option<String>,
    /// Installation prefix.
    #[arg(long, value_name = "install-root")]
    pub install_root: Option<String>,
    /// Log directory.
    #[arg(long, value_name = "log-root")]
    pub log_root: Option<String>,
    /// Install the recommended kernel without asking.
    #[arg(long, overrides_with = "disable_kernel_install")]
    pub enable_kernel_install: bool,
    /// Do not install a kernel and do not ask.
    #[arg(long)]
    pub disable_kernel_install: bool,
    /// Wait for the API service.
    #[arg(long, value_name = "timeout", default_value = "60")]
    pub timeout: f64,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
