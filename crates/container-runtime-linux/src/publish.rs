//! A container's published ports, from before its boot to its end (behaviour reference, 17).

use container_ipc::Error;
use container_ports::{Forwarding, Ports, Target};
use container_resource::{ContainerConfiguration, PublishPort};

use crate::network::{self, Links};

/// Binds the host's ports. A container without interfaces has none.
///
/// # Errors
/// One is taken, or may not be had.
pub(crate) fn bind(configuration: &ContainerConfiguration) -> Result<Ports, Error> {
    if configuration.networks.is_empty() {
        return Ok(Ports::default());
    }
    Ok(Ports::bind(&configuration.published_ports)?)
}

/// The ports as they are, if the system chose one.
pub(crate) fn chosen(configuration: &ContainerConfiguration, ports: &Ports) -> Vec<PublishPort> {
    let published = ports.published();
    if published.is_empty() || published == configuration.published_ports {
        return Vec::new();
    }
    published.to_vec()
}

/// Forwards to the container's first address from now on.
///
/// # Errors
/// An IPv6 port is published, and the container has no IPv6 address.
pub(crate) fn serve(
    ports: Ports,
    configuration: &ContainerConfiguration,
    plugins: &[String],
    links: &Links,
) -> Result<Forwarding, Error> {
    let Some(target) = links.attachments().first().and_then(Target::of) else {
        return Ok(Forwarding::default());
    };
    let connector = network::connector(&configuration.networks, plugins)?;
    Ok(ports.serve(target, connector)?)
}
