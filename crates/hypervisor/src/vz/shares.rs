use std::io;

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::{NSDictionary, NSString, NSURL};
use objc2_virtualization::{
    VZDirectorySharingDeviceConfiguration, VZMultipleDirectoryShare, VZSharedDirectory,
    VZVirtioFileSystemDeviceConfiguration,
};

use super::plan::SharedDirectory;
use crate::{Error, SHARES_TAG};

/// One virtio-fs device with all directories, each under its name.
pub(super) fn shares(
    plan: &[SharedDirectory],
) -> Result<Retained<VZDirectorySharingDeviceConfiguration>, Error> {
    let (mut names, mut directories) = (Vec::new(), Vec::new());
    for shared in plan {
        let Some(url) = NSURL::from_directory_path(&shared.directory) else {
            return Err(Error::Shares(io::ErrorKind::InvalidFilename.into()));
        };
        names.push(NSString::from_str(&shared.name));
        // SAFETY: a new object that nobody else has.
        directories.push(unsafe {
            VZSharedDirectory::initWithURL_readOnly(VZSharedDirectory::alloc(), &url, shared.read_only)
        });
    }
    let names: Vec<&NSString> = names.iter().map(|name| &**name).collect();
    let directories = NSDictionary::from_retained_objects(&names, &directories);
    // SAFETY: new objects that nobody else has; the device keeps its share. Names are letters and digits, and the tag is
    // short: both are valid, which the framework raises an exception for otherwise.
    unsafe {
        let share =
            VZMultipleDirectoryShare::initWithDirectories(VZMultipleDirectoryShare::alloc(), &directories);
        let device = VZVirtioFileSystemDeviceConfiguration::initWithTag(
            VZVirtioFileSystemDeviceConfiguration::alloc(),
            &NSString::from_str(SHARES_TAG),
        );
        device.setShare(Some(&share));
        Ok(Retained::into_super(device))
    }
}
