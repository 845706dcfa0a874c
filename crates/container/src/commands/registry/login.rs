//! `container registry login`: store credentials after checking them.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::registry::RegistryFlags;

/// Arguments of `container registry login`.
#[derive(Args, Debug, Clone)]
pub struct Login {
    /// Read the password from stdin (needs --username).
    #[arg(long)]
    pub password_stdin: bool,
    /// User name; prompted when empty.
    #[arg(short = 'u', long, value_name = "username")]
    pub username: Option<String>,
    /// Registry host.
    #[arg(value_name = "server")]
    pub server: String,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
