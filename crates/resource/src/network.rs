//! A container's networks, names and published ports.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The network of containers that ask for none.
pub const DEFAULT_NETWORK: &str = "default";
/// The label of the network that is always there, and its value.
pub const BUILTIN_LABEL: (&str, &str) = ("com.apple.container.resource.role", "builtin");

/// A network (behaviour reference, 5.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its name.
    pub id: String,
    /// What was asked for.
    pub configuration: NetworkConfiguration,
    /// What it is.
    pub status: NetworkStatus,
}

/// What a network was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkConfiguration {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub creation_date: Timestamp,
    /// Where it leads.
    pub mode: NetworkMode,
    /// The IPv4 subnet that was asked for, `192.168.64.0/24`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_subnet: Option<String>,
    /// The IPv6 subnet that was asked for, `fd00::/64`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6_subnet: Option<String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The program of its helper.
    pub plugin: String,
    /// Options for the helper.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

impl NetworkConfiguration {
    /// Whether it is always there and cannot be deleted.
    pub fn is_builtin(&self) -> bool {
        let (key, value) = BUILTIN_LABEL;
        self.labels.get(key).is_some_and(|role| role == value)
    }
}

impl NetworkMode {
    /// The word for it in commands and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::HostOnly => "hostOnly",
        }
    }
}

/// Where a network leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// Outside, behind the host's addresses.
    #[default]
    Nat,
    /// To the host and the network's other containers.
    HostOnly,
}

/// What a network is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkStatus {
    /// The IPv4 subnet, `192.168.64.0/24`.
    pub ipv4_subnet: String,
    /// The gateway's address: the first one after the subnet's own.
    pub ipv4_gateway: String,
    /// The IPv6 subnet, `fd00::/64`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6_subnet: Option<String>,
}

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
    /// A fixed IPv4 address, without a prefix length. Apple's tool has no such option.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_address: Option<Ipv4Addr>,
    /// Further names on the network. Apple's tool has no such option.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub aliases: Vec<String>,
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
