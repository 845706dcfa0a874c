//! A container's networks, names and published ports.

use serde::{Deserialize, Serialize};

/// A network that a container asks for (behaviour reference, 5.1 `networks`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentConfiguration {
    /// The network's name.
    pub network: String,
    /// What was asked for on it.
    pub options: AttachmentOptions,
}

/// What a container asks for on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttachmentOptions {
    /// The name under which the container is known on the network.
    pub hostname: String,
    /// A fixed hardware address, `XX:XX:XX:XX:XX:XX`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac_address: Option<String>,
    /// The interface's MTU in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
}

/// An interface as it is while the container runs (behaviour reference, 5.1 `Attachment`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    /// The network's name.
    pub network: String,
    /// The container's name on it.
    pub hostname: String,
    /// Address with prefix length, `192.168.64.3/24`.
    pub ipv4_address: String,
    /// The gateway's address.
    pub ipv4_gateway: String,
    /// IPv6 address with prefix length.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6_address: Option<String>,
    /// The hardware address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mac_address: Option<String>,
    /// The MTU in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mtu: Option<u32>,
    /// How the network is made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub variant: Option<String>,
}

/// What goes into the container's `/etc/resolv.conf`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsConfiguration {
    /// Addresses of name servers; empty means the first network's gateway.
    pub nameservers: Vec<String>,
    /// The local domain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub domain: Option<String>,
    /// Search domains.
    pub search_domains: Vec<String>,
    /// Resolver options.
    pub options: Vec<String>,
}

/// A published port or range of ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishPort {
    /// The host address listened on.
    pub host_address: String,
    /// The first host port.
    pub host_port: u16,
    /// The first container port.
    pub container_port: u16,
    /// `tcp` or `udp`.
    pub proto: PublishProtocol,
    /// How many consecutive ports.
    pub count: u16,
}

/// A published port's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublishProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A Unix socket of the container that the host can reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishSocket {
    /// Where the host listens.
    pub host_path: String,
    /// The socket in the container.
    pub container_path: String,
    /// Permission bits of the host's socket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub permissions: Option<u32>,
}
