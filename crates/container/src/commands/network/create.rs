//! `container network create`: create a network.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container network create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Host-only mode.
    #[arg(long)]
    pub internal: bool,
    /// Label.
    #[arg(long, value_name = "label", help = "Label: key[=value]")]
    pub label: Vec<String>,
    /// Plugin option.
    #[arg(long, value_name = "option", help = "Plugin option: key=value")]
    pub option: Vec<String>,
    /// Network plugin.
    #[arg(long, value_name = "plugin", default_value = "container-network-vmnet")]
    pub plugin: String,
    /// IPv4 subnet.
    #[arg(long, value_name = "subnet", help = "IPv4 subnet: IPv4 CIDR")]
    pub subnet: Option<String>,
    /// IPv6 prefix.
    #[arg(long, value_name = "subnet-v6", help = "IPv6 prefix: IPv6 CIDR")]
    pub subnet_v6: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Name.
    #[arg(value_name = "name")]
    pub name: String,
}
