use std::io;

use container_config::Roots;
use container_hypervisor::{Nic, NicKind};
use container_ipc::runtime_dir;
use container_resource::{Attachment, AttachmentConfiguration};

use super::addresses;
use crate::Error;

/// The interface for what a container asks for: an address of the network that all machines share.
///
/// # Errors
/// There is no free one.
pub(crate) fn attach(_: u8, wanted: &AttachmentConfiguration) -> Result<(Nic, Attachment), Error> {
    let (address, claim) = claim().map_err(Error::Network)?;
    // The address belongs to this process, which has one machine, until it ends; then the kernel takes the lock back.
    std::mem::forget(claim);
    let mac = super::mac(wanted);
    let gateway = addresses::GATEWAY.to_string();
    let attachment = super::attachment(wanted, mac, format!("{address}/{}", addresses::PREFIX), gateway);
    let nic = Nic {
        mac,
        kind: NicKind::Nat,
    };
    Ok((nic, attachment))
}

fn claim() -> io::Result<addresses::Claim> {
    let roots = Roots::from_environment()?;
    addresses::claim(&runtime_dir(&roots.app).join("addresses"))
}

/// The name server of a container that names none: the host, which asks its own.
pub(crate) fn name_server(attachments: &[Attachment]) -> Option<String> {
    attachments.first().map(|first| first.ipv4_gateway.clone())
}
