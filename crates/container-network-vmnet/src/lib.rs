//! The helper that serves one network on macOS.
//!
//! From macOS 26 on a network is one of vmnet's, with a subnet of its own. Its frames come through the helper: the
//! network belongs to one process, and virtual machines belong to others. A helper that dies takes the network with it,
//! and the next one makes it again: virtual machines keep their sockets, and frames go on through them. Before, all
//! virtual machines of a Mac share one network, and the helper only leases addresses on it.

mod error;
mod interfaces;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(target_os = "macos", test))]
mod reader;
mod service;
mod shared;
mod sockets;

pub use error::Error;
pub use interfaces::{Interface, Interfaces};
#[cfg(target_os = "macos")]
pub use macos::Vmnet;
pub use service::{Service, refusal, router};
pub use shared::Shared;
