use std::io;

use container_config::Roots;
use container_hypervisor::{MacAddress, Nic, NicKind};
use container_ipc::runtime_dir;
use container_ports::Direct;
use container_resource::{Attachment, AttachmentConfiguration};

use super::addresses::{self, Claim};
use crate::Error;

/// A container's places on its networks. Its addresses are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Links {
    attachments: Vec<Attachment>,
    _claims: Vec<Claim>,
}

impl Links {
    /// What the interfaces are, in their order.
    pub(crate) fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }
}

/// Sockets that reach the container: the host's own.
///
/// # Errors
/// None.
pub(crate) fn connector(_: &[AttachmentConfiguration], _: &[String]) -> Result<Direct, container_ipc::Error> {
    Ok(Direct)
}

/// The interfaces that a container asks for, each with an address of the network that all machines share.
///
/// # Errors
/// There is no free one.
pub(crate) async fn attach(
    wanted: &[AttachmentConfiguration],
    _: &[String],
) -> Result<(Vec<Nic>, Links), container_ipc::Error> {
    let mut nics = Vec::new();
    let (mut attachments, mut claims) = (Vec::new(), Vec::new());
    for wanted in wanted {
        let (address, claim) = claim().map_err(Error::Network)?;
        let mac = mac(wanted);
        nics.push(Nic {
            mac,
            kind: NicKind::Nat,
        });
        attachments.push(Attachment {
            network: wanted.network.clone(),
            hostname: wanted.options.hostname.clone(),
            ipv4_address: format!("{address}/{}", addresses::PREFIX),
            ipv4_gateway: addresses::GATEWAY.to_string(),
            ipv6_address: None,
            mac_address: Some(mac.to_string()),
            mtu: wanted.options.mtu,
            variant: None,
        });
        claims.push((address, claim));
    }
    let links = Links {
        attachments,
        _claims: claims,
    };
    Ok((nics, links))
}

fn claim() -> io::Result<Claim> {
    let roots = Roots::from_environment()?;
    addresses::claim(&runtime_dir(&roots.app).join("addresses"))
}

/// The hardware address that was asked for, else a random one: locally administered, beginning with f2, f6, fa or fe.
fn mac(wanted: &AttachmentConfiguration) -> MacAddress {
    let requested = wanted.options.mac_address.as_deref().and_then(super::parse_mac);
    requested.unwrap_or_else(|| {
        let mut bytes = [0; 6];
        bytes.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..6]);
        bytes[0] = bytes[0] & 0x0c | 0xf2;
        MacAddress(bytes)
    })
}
