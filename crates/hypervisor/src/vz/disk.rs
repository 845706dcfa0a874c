use std::io;

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::{NSString, NSURL};
use objc2_virtualization::{
    VZDiskImageCachingMode, VZDiskImageStorageDeviceAttachment, VZDiskImageSynchronizationMode,
    VZStorageDeviceConfiguration, VZVirtioBlockDeviceConfiguration,
};

use super::ns_error;
use super::plan::Disk;
use crate::Error;

/// A virtio block device on a raw image. The host caches it, and what the guest flushes reaches the host's drive as with
/// `fsync` (`behaviour.md` 28.1).
pub(super) fn disk(plan: &Disk) -> Result<Retained<VZStorageDeviceConfiguration>, Error> {
    let error = |source| Error::Disk {
        path: plan.path.clone(),
        source,
    };
    let Some(url) = NSURL::from_file_path(&plan.path) else {
        return Err(error(io::ErrorKind::InvalidFilename.into()));
    };
    // SAFETY: new objects that nobody else has; the device keeps its attachment. The identifier is one that the setter
    // accepts, as `Disk` promises.
    unsafe {
        let attachment =
            VZDiskImageStorageDeviceAttachment::initWithURL_readOnly_cachingMode_synchronizationMode_error(
                VZDiskImageStorageDeviceAttachment::alloc(),
                &url,
                plan.read_only,
                VZDiskImageCachingMode::Cached,
                VZDiskImageSynchronizationMode::Fsync,
            )
            .map_err(|refused| error(io::Error::other(ns_error::refusal(&refused))))?;
        let device = VZVirtioBlockDeviceConfiguration::initWithAttachment(
            VZVirtioBlockDeviceConfiguration::alloc(),
            &attachment,
        );
        device.setBlockDeviceIdentifier(&NSString::from_str(&plan.identifier));
        Ok(Retained::into_super(device))
    }
}
