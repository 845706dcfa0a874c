use std::os::fd::{IntoRawFd, OwnedFd};

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::{NSFileHandle, NSString};
use objc2_virtualization::{
    VZFileHandleNetworkDeviceAttachment, VZMACAddress, VZNATNetworkDeviceAttachment,
    VZNetworkDeviceAttachment, VZNetworkDeviceConfiguration, VZVirtioNetworkDeviceConfiguration,
};

use crate::{Error, Nic, NicKind};

/// A virtio network interface.
pub(super) fn interface(nic: &Nic) -> Result<Retained<VZNetworkDeviceConfiguration>, Error> {
    let text = NSString::from_str(&nic.mac.to_string());
    let attachment = match &nic.kind {
        // SAFETY: a new object that nobody else has.
        NicKind::Nat => Retained::into_super(unsafe { VZNATNetworkDeviceAttachment::new() }),
        NicKind::Tap(frames) => socket(
            frames
                .try_clone()
                .map_err(|error| Error::Config(format!("the socket of {}: {error}", nic.mac)))?,
        ),
    };
    // SAFETY: new objects that nobody else has; the device copies the address and keeps its attachment.
    unsafe {
        let Some(address) = VZMACAddress::initWithString(VZMACAddress::alloc(), &text) else {
            return Err(Error::Config(format!("{} is no hardware address", nic.mac)));
        };
        let device = VZVirtioNetworkDeviceConfiguration::new();
        device.setMACAddress(&address);
        device.setAttachment(Some(&attachment));
        Ok(Retained::into_super(device))
    }
}

/// The other end of a datagram socket, a frame per message.
fn socket(frames: OwnedFd) -> Retained<VZNetworkDeviceAttachment> {
    let frames = NSFileHandle::initWithFileDescriptor_closeOnDealloc(
        NSFileHandle::alloc(),
        frames.into_raw_fd(),
        true,
    );
    // SAFETY: the handle has an open socket, which it owns; the attachment keeps it.
    let attachment = unsafe {
        VZFileHandleNetworkDeviceAttachment::initWithFileHandle(
            VZFileHandleNetworkDeviceAttachment::alloc(),
            &frames,
        )
    };
    Retained::into_super(attachment)
}
