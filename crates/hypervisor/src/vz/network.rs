use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::NSString;
use objc2_virtualization::{
    VZMACAddress, VZNATNetworkDeviceAttachment, VZNetworkDeviceConfiguration,
    VZVirtioNetworkDeviceConfiguration,
};

use crate::{Error, MacAddress};

/// A virtio network interface on the network that all machines with one share, and whose addresses the host translates.
pub(super) fn interface(address: MacAddress) -> Result<Retained<VZNetworkDeviceConfiguration>, Error> {
    let text = NSString::from_str(&address.to_string());
    // SAFETY: new objects that nobody else has; the device copies the address and keeps its attachment.
    unsafe {
        let Some(address) = VZMACAddress::initWithString(VZMACAddress::alloc(), &text) else {
            return Err(Error::Config(format!("{address} is no hardware address")));
        };
        let device = VZVirtioNetworkDeviceConfiguration::new();
        device.setMACAddress(&address);
        device.setAttachment(Some(&VZNATNetworkDeviceAttachment::new()));
        Ok(Retained::into_super(device))
    }
}
