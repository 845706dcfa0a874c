use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::{ExitReason, Rosetta};

/// Why something about a virtual machine failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine asks for nested virtualization and this host has none.
    #[error("nested virtualization is not supported on the platform")]
    NestedVirtualization,
    /// The machine asks for Rosetta and this host does not have it.
    #[error("{}", no_rosetta(*.0))]
    Rosetta(Rosetta),
    /// The program that runs virtual machines is missing.
    #[error("{program} not found: install the package {package}")]
    NotInstalled {
        /// The program that was looked for in `PATH`.
        program: &'static str,
        /// Debian's package that has it.
        package: &'static str,
    },
    /// The kernel cannot be used.
    #[error("kernel {}", path.display())]
    Kernel {
        /// The kernel image.
        path: PathBuf,
        /// What opening it said.
        #[source]
        source: io::Error,
    },
    /// A disk image cannot be used.
    #[error("disk image {}", path.display())]
    Disk {
        /// The image.
        path: PathBuf,
        /// What opening it said.
        #[source]
        source: io::Error,
    },
    /// The console log cannot be written.
    #[error("boot log {}", path.display())]
    ConsoleLog {
        /// The log.
        path: PathBuf,
        /// What opening it said.
        #[source]
        source: io::Error,
    },
    /// The configuration asks for something that no machine can have.
    #[error("invalid virtual machine configuration: {0}")]
    Config(String),
    /// The hypervisor's process could not be started.
    #[error("failed to start the virtual machine")]
    Spawn(#[source] io::Error),
    /// The process that serves the shared directories could not be started.
    #[error("failed to share directories of the host")]
    Shares(#[source] io::Error),
    /// The hypervisor refused, or gave no sensible answer.
    #[error("the hypervisor failed to {action}")]
    Control {
        /// What it was asked to do.
        action: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The machine was started before.
    #[error("the virtual machine was already started")]
    AlreadyStarted,
    /// The machine was not started yet.
    #[error("the virtual machine was not started")]
    NotStarted,
    /// The machine is over.
    #[error("the virtual machine is not running: {0}")]
    Exited(ExitReason),
    /// The guest's agent did not answer in time.
    #[error("the guest did not answer on port {port} within {} s{}", timeout.as_secs(), quoted(boot_log))]
    Silent {
        /// The port.
        port: u32,
        /// The time it was given.
        timeout: Duration,
        /// The last lines of the boot log.
        boot_log: String,
    },
    /// A connection to or from the guest could not be had.
    #[error("port {port}")]
    Port {
        /// The port.
        port: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The memory that the machine uses could not be found out.
    #[error("memory use of the virtual machine")]
    MemoryUse(#[source] io::Error),
}

/// Why there is no Rosetta, and what to do about it.
fn no_rosetta(here: Rosetta) -> &'static str {
    match here {
        Rosetta::Unsupported => "Rosetta is not supported on the platform",
        Rosetta::NotInstalled | Rosetta::Installed => {
            "Rosetta is not installed: install it with `softwareupdate --install-rosetta`, or use an image for arm64"
        }
    }
}

/// The end of a message that quotes a log.
pub(crate) fn quoted(log: &str) -> String {
    if log.is_empty() {
        String::new()
    } else {
        format!("; last lines:\n{log}")
    }
}
