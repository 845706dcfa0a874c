//! `container network create`: create a network.

use clap::Args;
use container_client::api::NetworkCreateRequest;
use container_client::services::NETWORK_PROGRAM;
use container_resource::NetworkMode;
use container_resource::subnet::{Ipv4Net, Ipv6Net};

use crate::error::Outcome;
use crate::output;
use crate::parse::key_value;
use crate::services::Services;

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
    #[arg(long, value_name = "plugin", default_value = NETWORK_PROGRAM)]
    pub plugin: String,
    /// IPv4 subnet.
    #[arg(long, value_name = "subnet", help = "IPv4 subnet: IPv4 CIDR")]
    pub subnet: Option<Ipv4Net>,
    /// IPv6 prefix.
    #[arg(long, value_name = "subnet-v6", help = "IPv6 prefix: IPv6 CIDR")]
    pub subnet_v6: Option<Ipv6Net>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Name.
    #[arg(value_name = "name")]
    pub name: String,
}

impl Create {
    pub(super) async fn run(self) -> Outcome {
        let request = NetworkCreateRequest {
            name: self.name,
            mode: if self.internal {
                NetworkMode::HostOnly
            } else {
                NetworkMode::Nat
            },
            ipv4_subnet: self.subnet.map(|subnet| subnet.to_string()),
            ipv6_subnet: self.subnet_v6.map(|subnet| subnet.to_string()),
            labels: key_value::parse(&self.label),
            plugin: self.plugin,
            options: key_value::parse(&self.option),
        };
        let api = Services::from_environment()?.api().await?;
        let network = api.create_network(request).await?;
        output::print_line(&network.id);
        Ok(0)
    }
}
