use std::io;
use std::os::fd::OwnedFd;

use objc2::rc::Retained;
use objc2_foundation::NSArray;
use objc2_virtualization::{VZGenericPlatformConfiguration, VZVirtualMachineConfiguration};

use super::boot_loader::boot_loader;
use super::disk::disk;
use super::entropy::entropy;
use super::network::interface;
use super::ns_error;
use super::plan::{Limits, Plan};
use super::rosetta;
use super::serial::console;
use super::shares::shares;
use super::socket::socket;
use crate::{Error, Nic};

/// What the framework allows on this host.
pub(super) fn limits() -> Limits {
    // SAFETY: properties of the class, which may be read anywhere.
    unsafe {
        Limits {
            cpus: VZVirtualMachineConfiguration::minimumAllowedCPUCount()
                ..=VZVirtualMachineConfiguration::maximumAllowedCPUCount(),
            memory: VZVirtualMachineConfiguration::minimumAllowedMemorySize()
                ..=VZVirtualMachineConfiguration::maximumAllowedMemorySize(),
        }
    }
}

/// Puts a machine together and lets the framework check it, entitlements included. The console writes to `output`.
pub(super) fn configuration(
    plan: &Plan,
    nics: &[Nic],
    output: OwnedFd,
) -> Result<Retained<VZVirtualMachineConfiguration>, Error> {
    let Some(boot_loader) = boot_loader(&plan.kernel, &plan.command_line) else {
        return Err(Error::Kernel {
            path: plan.kernel.clone(),
            source: io::ErrorKind::InvalidFilename.into(),
        });
    };
    // The guest's kernel finds devices in this order: the first disk is vda, the first interface eth0.
    let disks = plan.disks.iter().map(disk).collect::<Result<Vec<_>, _>>()?;
    let interfaces = nics.iter().map(interface).collect::<Result<Vec<_>, _>>()?;
    let shared = match plan.shares.as_slice() {
        [] => None,
        directories => Some(shares(directories)?),
    };
    let rosetta = plan.rosetta.then(rosetta::device).transpose()?;
    let shared: Vec<_> = shared.into_iter().chain(rosetta).collect();
    // SAFETY: new objects that nobody else has; the configuration copies or keeps what it is given. Nested
    // virtualization is only asked for where the property exists, because `Capabilities` has it only there.
    unsafe {
        let configuration = VZVirtualMachineConfiguration::new();
        let platform = VZGenericPlatformConfiguration::new();
        if plan.nested_virtualization {
            platform.setNestedVirtualizationEnabled(true);
        }
        configuration.setPlatform(&platform);
        configuration.setBootLoader(Some(&boot_loader));
        configuration.setCPUCount(plan.cpus);
        configuration.setMemorySize(plan.memory);
        configuration.setStorageDevices(&NSArray::from_retained_slice(&disks));
        configuration.setNetworkDevices(&NSArray::from_retained_slice(&interfaces));
        configuration.setEntropyDevices(&NSArray::from_retained_slice(&[entropy()]));
        configuration.setSerialPorts(&NSArray::from_retained_slice(&[console(output)]));
        configuration.setSocketDevices(&NSArray::from_retained_slice(&[socket()]));
        configuration.setDirectorySharingDevices(&NSArray::from_retained_slice(&shared));
        configuration
            .validateWithError()
            .map_err(|error| ns_error::refusal(&error).of("create the virtual machine"))?;
        Ok(configuration)
    }
}
