//! Virtual machines: the seam and its implementations, QEMU on Linux and Virtualization.framework on macOS.
//!
//! A [`Hypervisor`] makes [`VirtualMachine`]s out of a [`VmConfig`]; everything above these two traits is the
//! same whatever runs the guest. `platform` names this host's implementation.
//!
//! ```no_run
//! # use container_hypervisor::{Disk, Error, Hypervisor, VmConfig, platform};
//! # async fn example() -> Result<(), Error> {
//! let hypervisor = platform::Hypervisor::new();
//! let mut config = VmConfig::new("web", "/var/lib/container/vmlinux", "/run/container/web/vminitd.log");
//! config.disks.push(Disk::read_only("/var/cache/container/init.erofs", "init"));
//! let machine = hypervisor.create(config)?;
//! machine.start().await?;
//! let agent = machine.connect(1024).await?; // resolves as soon as the guest's agent listens
//! machine.stop().await?;
//! # Ok(()) }
//! ```

mod boot_log;
mod config;
mod error;
mod exit;
mod files;
mod kernel_args;
mod machine;
#[cfg(target_os = "linux")]
pub mod qemu;
// Its tests need no framework.
#[cfg(any(target_os = "macos", test))]
pub mod vz;

#[cfg(target_os = "linux")]
pub use qemu as platform;
#[cfg(target_os = "macos")]
pub use vz as platform;

pub use boot_log::BootLog;
pub use config::{Architecture, Disk, MacAddress, Nic, NicKind, ROSETTA_TAG, SHARES_TAG, Share, VmConfig};
pub use error::Error;
pub use exit::ExitReason;
pub use machine::{
    AGENT_PORT, Capabilities, Connection, Duplex, Hypervisor, Listener, Rosetta, VirtualMachine,
};
