use std::io;

use objc2::available;
use objc2_virtualization::{VZGenericPlatformConfiguration, VZVirtualMachine};

use super::configuration::limits;
use super::machine::VzMachine;
use super::plan::Plan;
use super::rosetta;
use crate::{Capabilities, Error, VirtualMachine, VmConfig, files};

/// Letters from `vda` to `vdz` (`behaviour.md` 28.1).
const MAX_DISKS: usize = 26;

/// Slots of the machine's PCI bus, less those of its bridge, console, entropy and socket devices. The framework has the
/// last word.
const MAX_DEVICES: usize = 32 - 4;

/// Virtualization.framework as the hypervisor of this host.
#[derive(Debug)]
pub struct Hypervisor {
    capabilities: Capabilities,
}

impl Hypervisor {
    /// Finds out what this host can do.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: properties of classes, which may be read anywhere; the second one exists from macOS 15 on.
        let (supported, nested) = unsafe {
            (
                VZVirtualMachine::isSupported(),
                available!(macos = 15.0) && VZGenericPlatformConfiguration::isNestedVirtualizationSupported(),
            )
        };
        Self {
            capabilities: Capabilities {
                hardware_acceleration: supported,
                nested_virtualization: nested,
                rosetta: rosetta::availability(),
                pause: true,
                // The guest's memory belongs to a process of the framework, which it does not name.
                memory_use: false,
                max_disks: MAX_DISKS,
                max_devices: MAX_DEVICES,
            },
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
        self.capabilities
    }

    fn create(&self, config: VmConfig) -> Result<Box<dyn VirtualMachine>, Error> {
        let plan = Plan::new(&config, &self.capabilities, &limits())?;
        // The framework opens kernel and images itself, but says less of what is wrong with them.
        let kernel_error = |source: io::Error| Error::Kernel {
            path: config.kernel.clone(),
            source,
        };
        files::open_kernel(&config.kernel).map_err(kernel_error)?;
        for disk in &config.disks {
            files::open_disk(disk)?;
        }
        Ok(Box::new(VzMachine::new(&config, &plan)?))
    }
}
