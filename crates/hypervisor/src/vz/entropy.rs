use objc2::rc::Retained;
use objc2_virtualization::{VZEntropyDeviceConfiguration, VZVirtioEntropyDeviceConfiguration};

/// A virtio entropy device, fed by the host's random numbers.
pub(super) fn entropy() -> Retained<VZEntropyDeviceConfiguration> {
    // SAFETY: a new object.
    Retained::into_super(unsafe { VZVirtioEntropyDeviceConfiguration::new() })
}
