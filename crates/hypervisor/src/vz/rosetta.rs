use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::NSString;
use objc2_virtualization::{
    VZDirectorySharingDeviceConfiguration, VZLinuxRosettaAvailability, VZLinuxRosettaDirectoryShare,
    VZVirtioFileSystemDeviceConfiguration,
};

use super::ns_error;
use crate::{Error, ROSETTA_TAG, Rosetta};

/// Whether this Mac has Rosetta for guests of Linux.
pub(super) fn availability() -> Rosetta {
    // The class is only there on Apple silicon.
    if !cfg!(target_arch = "aarch64") {
        return Rosetta::Unsupported;
    }
    // SAFETY: a property of the class, which may be read anywhere.
    match unsafe { VZLinuxRosettaDirectoryShare::availability() } {
        VZLinuxRosettaAvailability::Installed => Rosetta::Installed,
        VZLinuxRosettaAvailability::NotInstalled => Rosetta::NotInstalled,
        _ => Rosetta::Unsupported,
    }
}

/// A virtio-fs device with Rosetta, which the guest sees as a file of the name `rosetta`. Only where it is installed.
pub(super) fn device() -> Result<Retained<VZDirectorySharingDeviceConfiguration>, Error> {
    // SAFETY: new objects that nobody else has; the device keeps its share. The tag is short and plain, so valid, which
    // the framework raises an exception for otherwise.
    unsafe {
        let share = VZLinuxRosettaDirectoryShare::initWithError(VZLinuxRosettaDirectoryShare::alloc())
            .map_err(|error| ns_error::refusal(&error).of("share Rosetta"))?;
        let device = VZVirtioFileSystemDeviceConfiguration::initWithTag(
            VZVirtioFileSystemDeviceConfiguration::alloc(),
            &NSString::from_str(ROSETTA_TAG),
        );
        device.setShare(Some(&share));
        Ok(Retained::into_super(device))
    }
}
