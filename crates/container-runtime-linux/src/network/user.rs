use std::net::Ipv4Addr;

use container_hypervisor::{Nic, NicKind, UserNetwork};
use container_resource::{Attachment, AttachmentConfiguration};

use crate::Error;

/// The interface for what a container asks for: a network of its own that leads outside.
///
/// # Errors
/// None; other hosts have some.
pub(crate) fn attach(index: u8, wanted: &AttachmentConfiguration) -> Result<(Nic, Attachment), Error> {
    let octet = 2 + index % 250;
    let network = UserNetwork {
        network: Ipv4Addr::new(10, 0, octet, 0),
        gateway: Ipv4Addr::new(10, 0, octet, 2),
        dns: Ipv4Addr::new(10, 0, octet, 3),
        ..UserNetwork::default()
    };
    let mac = super::mac(wanted);
    let attachment = super::attachment(
        wanted,
        mac,
        format!("{}/{}", Ipv4Addr::new(10, 0, octet, 15), network.prefix),
        network.gateway.to_string(),
    );
    let nic = Nic {
        mac,
        kind: NicKind::User(network),
    };
    Ok((nic, attachment))
}

/// The name server of a container that names none.
pub(crate) fn name_server(attachments: &[Attachment]) -> Option<String> {
    (!attachments.is_empty()).then(|| UserNetwork::default().dns.to_string())
}
