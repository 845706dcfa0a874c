//! Options for the connection to a registry.

use clap::Args;

/// Options for the connection to a registry.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Registry options")]
pub struct RegistryFlags {
    /// Protocol used towards the registry.
    #[arg(long, value_name = "scheme", default_value = "auto")]
    pub scheme: String,
}
