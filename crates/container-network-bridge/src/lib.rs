//! The helper that serves one network on Linux.
//!
//! The network is a namespace with a bridge in it. A small process, the [`holder`], lives in the namespace and makes
//! there what it is asked for; the helper itself stays in the host's namespace, leases addresses, answers names and
//! connects the network with the outside.

#![cfg(target_os = "linux")]

mod error;
pub mod holder;
mod lease;
mod local;
mod name_server;
mod names;
mod network;
mod nft;
mod pool;
mod routes;
mod rules;

mod service;
mod settings;
mod uplink;

pub use error::Error;
pub use network::Network;
pub use routes::router;
pub use service::Service;
pub use settings::Settings;
