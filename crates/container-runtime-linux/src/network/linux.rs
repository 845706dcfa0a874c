//! What a network's helper gives on Linux.

use std::os::fd::OwnedFd;

use container_client::services::NETWORK_PROGRAM;
use container_config::Roots;
use container_hypervisor::NicKind;
use container_ipc::{Error, runtime_dir};
use container_ports::SocketPool;
use container_resource::AttachmentConfiguration;

/// A tap device, without which there is no interface.
pub(super) fn kind(device: Option<OwnedFd>) -> Option<NicKind> {
    device.map(NicKind::Tap)
}

/// Sockets that reach the container's address on its first network.
///
/// # Errors
/// It is on none.
pub(crate) fn connector(wanted: &[AttachmentConfiguration], plugins: &[String]) -> Result<SocketPool, Error> {
    let Some(first) = wanted.first() else {
        return Err(Error::internal("the container is on no network"));
    };
    let directory = runtime_dir(&Roots::from_environment()?.app);
    let plugin = plugins.first().map_or(NETWORK_PROGRAM, String::as_str);
    Ok(SocketPool::new(
        directory,
        plugin.to_owned(),
        first.network.clone(),
    ))
}
