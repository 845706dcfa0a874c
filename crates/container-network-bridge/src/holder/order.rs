//! What the holder can be told to do.

use std::net::IpAddr;
use std::time::Duration;

use container_client::network::SocketKind;
use container_ipc::Route;
use serde::{Deserialize, Serialize};

/// One thing to do. All but [`Order::End`] may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Answer with descriptors of the network namespace and, if there is one, of the user namespace, and with the holder's
    /// own process.
    Namespaces,
    /// Have a bridge with these addresses.
    Bridge {
        /// Its hardware address.
        mac: [u8; 6],
        /// Addresses and the lengths of their prefixes.
        addresses: Vec<(IpAddr, u8)>,
    },
    /// Answer with the names of all interfaces.
    Interfaces,
    /// Make a tap device, a port of the bridge, that goes when its descriptor is closed; answer with that.
    Tap {
        /// Its name.
        name: String,
        /// Its MTU in bytes.
        mtu: u32,
        /// Who is behind it.
        addresses: Vec<IpAddr>,
    },
    /// Remove a tap device and what led to it.
    RemoveTap {
        /// Its name.
        name: String,
        /// Who was behind it.
        addresses: Vec<IpAddr>,
    },
    /// Bring the uplink up, with these addresses and these routers towards everywhere.
    Uplink {
        /// Its MTU in bytes.
        mtu: u32,
        /// Addresses and the lengths of their prefixes.
        addresses: Vec<(IpAddr, u8)>,
        /// Routers.
        routers: Vec<IpAddr>,
    },
    /// Load a ruleset with `nft`.
    Rules(String),
    /// Answer with sockets.
    Sockets {
        /// What they are.
        kind: SocketKind,
        /// How many.
        count: u8,
    },
    /// Answer with, for every address that the kernel can have, a UDP socket bound to the port and a TCP socket that listens on it.
    NameServer {
        /// Where to listen.
        addresses: Vec<IpAddr>,
        /// The port.
        port: u16,
    },
    /// Keep the process that comes along as a descriptor, and kill it at the end.
    Keep,
    /// Answer with a descriptor of the process that is kept, if it runs.
    Kept,
    /// Take everything down and end.
    End,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Names of interfaces, for [`Order::Interfaces`].
    pub names: Vec<String>,
    /// The holder's number, for [`Order::Namespaces`].
    pub process: u32,
}

/// The only route.
#[derive(Debug)]
pub(super) struct Obey;

impl Route for Obey {
    const NAME: &'static str = "obey";
    const DEADLINE: Option<Duration> = Some(Duration::from_secs(20));
    type Request = Order;
    type Response = Report;
}
