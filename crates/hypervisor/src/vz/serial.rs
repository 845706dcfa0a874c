use std::os::fd::{IntoRawFd, OwnedFd};

use objc2::AnyThread;
use objc2::rc::Retained;
use objc2_foundation::NSFileHandle;
use objc2_virtualization::{
    VZFileHandleSerialPortAttachment, VZSerialPortConfiguration, VZVirtioConsoleDeviceSerialPortConfiguration,
};

/// The virtio console `hvc0`, which writes to `output` and reads nothing.
pub(super) fn console(output: OwnedFd) -> Retained<VZSerialPortConfiguration> {
    let output = NSFileHandle::initWithFileDescriptor_closeOnDealloc(
        NSFileHandle::alloc(),
        output.into_raw_fd(),
        true,
    );
    // SAFETY: new objects that nobody else has. The handle has an open descriptor, which it owns; the attachment keeps
    // the handle, and the device the attachment.
    unsafe {
        let attachment = VZFileHandleSerialPortAttachment::initWithFileHandleForReading_fileHandleForWriting(
            VZFileHandleSerialPortAttachment::alloc(),
            None,
            Some(&output),
        );
        let device = VZVirtioConsoleDeviceSerialPortConfiguration::new();
        device.setAttachment(Some(&attachment));
        Retained::into_super(device)
    }
}
