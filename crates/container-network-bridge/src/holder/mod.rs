//! The process that keeps a network's namespace.
//!
//! It is this program again, started with `hold`. It has one thread, lives in the network's namespaces and makes there
//! what the helper asks for over a Unix socket: the bridge, tap devices, sockets, rules. It outlives the helper, so that
//! virtual machines keep their network while the helper is started again, but not for ever: see [`lifetime`].

mod bridge;
mod client;
mod former;
mod lifetime;
mod namespace;
mod order;
mod serve;
mod sockets;
mod tap;

pub use client::Holder;
pub(crate) use former::{is_same, namespaces_of};
pub use namespace::{Join, is_privileged};
pub use order::{Order, Report};
pub use serve::{Hold, hold};

/// The bridge's name in the namespace.
pub const BRIDGE: &str = "br0";
/// The name of the way out in the namespace.
pub const UPLINK: &str = "up0";
