//! The helper of one network (behaviour reference, 27.6).

mod client;
mod routes;
mod uplink;

pub use client::{Lease, NetworkClient};
pub use routes::*;
pub use uplink::{UPLINK_PREFIX, network_key, uplink_interface};
