//! What can go wrong in a network's helper.

use std::io;

use container_ipc::ErrorCode;

/// Failures of a network's helper. Where the user can do something about one, the message says what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address cannot be leased.
    #[error(transparent)]
    Lease(#[from] container_network_bridge::Error),
    /// This macOS has one network.
    #[error(
        "network {0} needs macOS 26: before it all virtual machines share one network, which is \"default\""
    )]
    OneNetwork(String),
    /// What came with a request is no socket of frames.
    #[error("the descriptor is no datagram socket")]
    NoSocket,
    /// No interface has it.
    #[error("an MTU of {0} bytes is more than networks of macOS have, which is 1500")]
    Mtu(u32),
    /// vmnet refused.
    #[error("vmnet failed to {0} (status {1})")]
    Vmnet(&'static str, u32),
    /// Something of the system's own.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
}

impl From<Error> for container_ipc::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Lease(error) => error.into(),
            Error::OneNetwork(_) => Self::new(ErrorCode::Unsupported, error.to_string()),
            Error::NoSocket | Error::Mtu(_) => Self::invalid_argument(error.to_string()),
            Error::Vmnet(..) | Error::System(..) => Self::internal(error.to_string()),
        }
    }
}
