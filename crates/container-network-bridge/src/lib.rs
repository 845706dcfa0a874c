//! The helper that serves one network on Linux.
//!
//! The network is a namespace with a bridge in it. A small process, the [`holder`], lives in the namespace and makes
//! there what it is asked for; the helper itself stays in the host's namespace, leases addresses, answers names and
//! connects the network with the outside.
//!
//! Who has which address, and how a helper is started, is the same elsewhere: [`lease`], [`Settings`] and [`Start`] are
//! there on every platform.

mod error;
#[cfg(target_os = "linux")]
pub mod holder;
pub mod lease;
#[cfg(target_os = "linux")]
mod local;
#[cfg(target_os = "linux")]
mod name_server;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod nft;
mod pool;
#[cfg(target_os = "linux")]
mod routes;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod service;
mod settings;
mod start;
#[cfg(target_os = "linux")]
mod uplink;

pub use error::Error;
#[cfg(target_os = "linux")]
pub use network::Network;
#[cfg(target_os = "linux")]
pub use routes::router;
#[cfg(target_os = "linux")]
pub use service::Service;
pub use settings::Settings;
pub use start::{Start, stop_on_signal};
