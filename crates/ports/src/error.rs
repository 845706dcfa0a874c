//! Why a port cannot be published.

use std::io;

use container_ipc::ErrorCode;

/// Failures before the first connection; those of a connection end that connection.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A port below 1024 that this user may not have.
    #[error(
        "Permission denied while binding to host port {0}. Binding to ports below 1024 requires root privileges."
    )]
    PrivilegedPort(u16),
    /// Somebody else listens there.
    #[error("host port {0} is already in use: stop what uses it, or publish another one")]
    PortInUse(String),
    /// A port is to be published at an address that this host does not have.
    #[error("cannot listen on {0}: this host does not have the address")]
    ForeignAddress(String),
    /// A host port could not be had.
    #[error("failed to listen on host port {0}: {1}")]
    Listen(String, #[source] io::Error),
    /// An IPv6 port is published for a container whose address is not known.
    #[error("cannot configure IPv6 port forwarding for container with unknown IPv6 address")]
    UnknownIpv6,
}

impl From<Error> for container_ipc::Error {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::PortInUse(_) => ErrorCode::Exists,
            Error::UnknownIpv6 => ErrorCode::InvalidArgument,
            _ => ErrorCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}
