//! What a network's helper gives on macOS.

use std::os::fd::OwnedFd;

use container_hypervisor::NicKind;
use container_ipc::Error;
use container_ports::Direct;
use container_resource::AttachmentConfiguration;

/// A socket of frames, or nothing for the network that all virtual machines share.
pub(super) fn kind(device: Option<OwnedFd>) -> Option<NicKind> {
    Some(device.map_or(NicKind::Nat, NicKind::Tap))
}

/// Sockets that reach the container: the host's own.
///
/// # Errors
/// None.
pub(crate) fn connector(_: &[AttachmentConfiguration], _: &[String]) -> Result<Direct, Error> {
    Ok(Direct)
}
