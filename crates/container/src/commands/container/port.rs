//! `container port`: print where ports of a container are reachable. Apple's tool has no such command.

use clap::Args;
use container_resource::PublishPort;
use container_resource::network::PublishProtocol;

use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container port`.
#[derive(Args, Debug, Clone)]
pub struct Port {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
    /// Only this port.
    #[arg(
        value_name = "port",
        help = "Only this port of the container: <port>[/tcp|udp]"
    )]
    pub port: Option<String>,
}

impl Port {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let container = api.get(&self.container_id).await?;
        let all = mappings(match &container.status.published_ports {
            // None was chosen by the system.
            ports if ports.is_empty() => &container.configuration.published_ports,
            ports => ports,
        });
        let Some(wanted) = self.port else {
            for (port, address) in all {
                output::print_line(&format!("{port} -> {address}"));
            }
            return Ok(0);
        };
        let name = if wanted.contains('/') {
            wanted.to_lowercase()
        } else {
            format!("{wanted}/tcp")
        };
        let found: Vec<_> = all.into_iter().filter(|(port, _)| *port == name).collect();
        if found.is_empty() {
            let text = format!("container {} does not publish port {name}", self.container_id);
            return Err(Failure::error(text));
        }
        for (_, address) in found {
            output::print_line(&address);
        }
        Ok(0)
    }
}

/// Each port of the container, and the host's address that leads to it.
fn mappings(ports: &[PublishPort]) -> Vec<(String, String)> {
    let one = |port: &PublishPort, offset: u16| {
        let protocol = match port.proto {
            PublishProtocol::Tcp => "tcp",
            PublishProtocol::Udp => "udp",
        };
        let host = match &port.host_address {
            address if address.contains(':') => format!("[{address}]"),
            address => address.clone(),
        };
        // The parser of the option has seen that the last port of a range is one.
        let nth = |first: u16| first.saturating_add(offset);
        let name = format!("{}/{protocol}", nth(port.container_port));
        (name, format!("{host}:{}", nth(port.host_port)))
    };
    ports
        .iter()
        .flat_map(|port| (0..port.count).map(move |offset| one(port, offset)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_listed_port_by_port() {
        let port = |host_address: &str, proto, count| PublishPort {
            host_address: host_address.to_owned(),
            host_port: 8080,
            container_port: 80,
            proto,
            count,
        };
        let ports = [
            port("0.0.0.0", PublishProtocol::Tcp, 2),
            port("::1", PublishProtocol::Udp, 1),
        ];
        let listed: Vec<String> = mappings(&ports)
            .into_iter()
            .map(|(port, address)| format!("{port} {address}"))
            .collect();
        assert_eq!(
            listed,
            ["80/tcp 0.0.0.0:8080", "81/tcp 0.0.0.0:8081", "80/udp [::1]:8080"]
        );
    }
}
