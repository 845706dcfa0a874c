//! What can go wrong in a network's helper.

use std::io;
use std::net::Ipv4Addr;

use container_ipc::ErrorCode;
use ipnet::Ipv4Net;

/// Failures of a network's helper. Where the user can do something about one, the message says what.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network's subnets are not usable.
    #[error("invalid subnet: {0}")]
    Subnet(String),
    /// All addresses are leased.
    #[error("network {0} has no free address")]
    Full(String),
    /// A fixed address is leased already.
    #[error("address {0} is already in use by {1}")]
    Taken(Ipv4Addr, String),
    /// A fixed address that is none of the network's.
    #[error("address {0} is not one that a container on network {1} can have")]
    Foreign(Ipv4Addr, String),
    /// A host name is leased to somebody else.
    #[error("the name {0} is already in use on network {1}")]
    NameTaken(String, String),
    /// A hardware address is none.
    #[error("invalid MAC address: {0}")]
    Mac(String),
    /// A machine is in a namespace that the network is not in any more.
    #[error("network {0} was made anew while {1} was cut off from it, and others are on it now: restart {1}")]
    CutOff(String, String),
    /// The process that keeps the namespace did not start.
    #[error("failed to set up network {0}: {1}")]
    Holder(String, String),
    /// A call to that process failed.
    #[error("{0}")]
    Call(#[from] container_ipc::Error),
    /// The host uses the IPv4 subnet: another installation, another tool or the host's own network.
    #[error(
        "failed to set up network {0}: the host has a route to {1} already: choose another subnet, or remove what has \
         this one"
    )]
    SubnetTaken(String, Ipv4Net),
    /// The way out cannot be made.
    #[error("{0}")]
    Uplink(String),
    /// Something of the system's own.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
}

impl From<Error> for container_ipc::Error {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Call(error) => return error.clone(),
            Error::Subnet(_) | Error::Foreign(..) | Error::Mac(_) => ErrorCode::InvalidArgument,
            Error::Taken(..) | Error::NameTaken(..) | Error::SubnetTaken(..) => ErrorCode::Exists,
            Error::Full(_) | Error::CutOff(..) => ErrorCode::InvalidState,
            _ => ErrorCode::InternalError,
        };
        Self::new(code, error.to_string())
    }
}
