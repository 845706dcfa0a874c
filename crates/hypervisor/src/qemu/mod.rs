//! Virtual machines on Linux: one QEMU process each.
//!
//! A machine is a board without PCI, virtio-mmio devices and nothing else. Everything QEMU touches comes to it as a
//! descriptor that this process opened, so QEMU itself needs no right to any file of ours. One virtio-serial port
//! carries all connections between host and guest (see [`container_mux`]).

mod accelerator;
mod exit;
mod files;
mod kernel_args;
mod machine;
mod plan;
mod privileges;
mod process;
mod qmp;
mod shares;
mod switch;
mod tsc;

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::{Architecture, Capabilities, Error, NicKind, Rosetta, VirtualMachine, VmConfig};
use accelerator::Accelerator;
use machine::QemuMachine;

/// The name of the virtio-serial port on which host and guest speak the protocol of [`container_mux`].
pub const AGENT_PORT_NAME: &str = "container.agent";

/// Virtio-mmio slots of the x86-64 board. The arm64 board has more.
const SLOTS: usize = 24;

/// Slots taken by the console with the agent's port, and by the entropy device.
const FIXED_DEVICES: usize = 2;

/// QEMU as the hypervisor of this host.
#[derive(Debug)]
pub struct Hypervisor {
    accelerator: Accelerator,
    nested: bool,
    clock: Option<tsc::Reading>,
}

impl Hypervisor {
    /// Finds out what this host can do. Runs nothing.
    #[must_use]
    pub fn new() -> Self {
        let accelerator = Accelerator::detect(Architecture::HOST);
        Self {
            accelerator,
            nested: accelerator == Accelerator::Kvm && accelerator::nested(),
            clock: tsc::Reading::now(),
        }
    }
}

impl Default for Hypervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl crate::Hypervisor for Hypervisor {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            hardware_acceleration: self.accelerator == Accelerator::Kvm,
            nested_virtualization: self.nested,
            rosetta: Rosetta::Unsupported,
            pause: true,
            memory_use: true,
            max_disks: SLOTS - FIXED_DEVICES,
            max_devices: SLOTS - FIXED_DEVICES,
        }
    }

    fn create(&self, config: VmConfig) -> Result<Box<dyn VirtualMachine>, Error> {
        config.check(&self.capabilities())?;
        if config.nics.iter().any(|nic| matches!(nic.kind, NicKind::Nat)) {
            return Err(Error::Config("a network that this host does not have".to_owned()));
        }
        let accelerator = if config.architecture == Architecture::HOST {
            self.accelerator
        } else {
            Accelerator::Tcg
        };
        let program = program(config.architecture)?;
        let privileges = privileges::Privileges::choose(accelerator);
        let files = files::Files::open(&config, privileges.is_some())?;
        Ok(Box::new(QemuMachine::new(machine::Prepared {
            config,
            accelerator,
            program,
            privileges,
            files,
            clock: self.clock,
        })))
    }
}

/// QEMU's binary. Debian's slim microvm binary is not used: it has neither `-sandbox` nor user networking, which
/// matter more than the 20 ms that it starts faster.
fn program(architecture: Architecture) -> Result<PathBuf, Error> {
    let (program, package) = match architecture {
        Architecture::X86_64 => ("qemu-system-x86_64", "qemu-system-x86"),
        Architecture::Aarch64 => ("qemu-system-aarch64", "qemu-system-arm"),
    };
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| {
            file.metadata()
                .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
        .ok_or(Error::NotInstalled { program, package })
}
