//! Virtual machines on macOS: Virtualization.framework.
//!
//! Every machine has a serial dispatch queue of its own, and nothing of the framework is touched anywhere else: the
//! objects live in a [`queue::Confined`], which makes, uses and releases them on that queue. Results leave it as plain
//! values: descriptors, reasons and errors. What has nothing to do with the framework (what a machine consists of,
//! what its console says, how long to try to connect, why it ended) is in modules that are tested on every host.

#[cfg(target_os = "macos")]
mod boot_loader;
#[cfg(target_os = "macos")]
mod configuration;
mod console;
#[cfg(target_os = "macos")]
mod delegate;
mod dial;
#[cfg(target_os = "macos")]
mod disk;
#[cfg(target_os = "macos")]
mod entropy;
#[cfg(target_os = "macos")]
mod hypervisor;
mod life;
#[cfg(target_os = "macos")]
mod listener;
#[cfg(target_os = "macos")]
mod machine;
#[cfg(target_os = "macos")]
mod network;
#[cfg(target_os = "macos")]
mod ns_error;
#[cfg(target_os = "macos")]
mod parts;
mod plan;
#[cfg(target_os = "macos")]
mod queue;
mod refusal;
#[cfg(target_os = "macos")]
mod rosetta;
#[cfg(target_os = "macos")]
mod serial;
#[cfg(target_os = "macos")]
mod shares;
#[cfg(target_os = "macos")]
mod socket;

#[cfg(target_os = "macos")]
pub use hypervisor::Hypervisor;
