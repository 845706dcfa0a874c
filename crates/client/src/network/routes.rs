//! Routes and payloads of a network's helper.

use std::net::Ipv4Addr;
use std::time::Duration;

use container_ipc::Route;
use container_resource::{Attachment, NetworkStatus};
use serde::{Deserialize, Serialize};

use crate::api::routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const TEN_SECONDS: Option<Duration> = Some(Duration::from_secs(10));
const SECOND: Option<Duration> = Some(Duration::from_secs(1));

/// The most sockets that one call of [`Sockets`] returns.
pub const MAX_SOCKETS: u8 = 16;

routes! {
    /// What the network is.
    Status = "dev.container.network/status", SECOND, () => NetworkStatus;
    /// Leases an address to the connection that asks, until it closes. On Linux the reply comes with two descriptors: the
    /// tap device of the attachment, ready to be given to a virtual machine (`IFF_TAP | IFF_NO_PI | IFF_VNET_HDR`), and
    /// its network namespace. On macOS 26 it comes with the ends of a pair of datagram sockets with a frame per message, the virtual machine's
    /// and the helper's. Whoever keeps the second one can pass it with a later request, to another process of the helper:
    /// the machine's frames go on through it, or the network goes on in that namespace, and the reply has no descriptors.
    /// The same host name again on the same connection is the same lease.
    Allocate = "dev.container.network/allocate", MINUTE, AllocateRequest => Attachment;
    /// Who has a name.
    Lookup = "dev.container.network/lookup", TEN_SECONDS, LookupRequest => Option<Attachment>;
    /// Makes sockets that reach the network's addresses. They come as descriptors, not bound, not connected, not
    /// blocking, and closed on exec.
    Sockets = "dev.container.network/sockets", TEN_SECONDS, SocketsRequest => ();
    /// Removes what the network has on the host and ends the helper.
    Shutdown = "dev.container.network/shutdown", MINUTE, () => ();
}

/// What [`Allocate`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AllocateRequest {
    /// The container's name on the network, with the local domain if it has one: `web` or `web.test.`.
    pub hostname: String,
    /// A fixed hardware address, `XX:XX:XX:XX:XX:XX`; a random one otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac_address: Option<String>,
    /// A fixed address; else the one that the name had last if it is free, else any free one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_address: Option<Ipv4Addr>,
    /// Further names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The interface's MTU in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
}

/// What [`Lookup`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupRequest {
    /// A name on the network.
    pub hostname: String,
}

/// What [`Sockets`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketsRequest {
    /// What they are.
    pub kind: SocketKind,
    /// How many, at most [`MAX_SOCKETS`].
    pub count: u8,
}

/// What a socket of the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SocketKind {
    /// TCP over IPv4.
    Tcp4,
    /// TCP over IPv6.
    Tcp6,
    /// UDP over IPv4.
    Udp4,
    /// UDP over IPv6.
    Udp6,
}
