//! The helper that serves one network on macOS.
//!
//! From macOS 26 on a network is one of vmnet's, with a subnet of its own. Its frames come through the helper: the
//! network belongs to one process, and virtual machines belong to others. Before, all virtual machines of a Mac share
//! one network, and the helper only leases addresses on it.

mod error;
mod interfaces;
#[cfg(target_os = "macos")]
mod macos;
mod service;
mod shared;

pub use error::Error;
pub use interfaces::{Interface, Interfaces};
#[cfg(target_os = "macos")]
pub use macos::Vmnet;
pub use service::{Service, refusal, router};
pub use shared::Shared;
