//! The device with the shared directories, and the memory that its server reads and writes.

use super::{Options, Switch};

/// `-object memory-backend-memfd`: all of the guest's memory, in a file that the server maps too.
pub(in crate::qemu) struct SharedMemory {
    /// In MiB.
    pub(in crate::qemu) size: u64,
}

impl SharedMemory {
    /// What `-machine` has to say about it.
    pub(in crate::qemu) const MACHINE: MachineMemory = MachineMemory { backend: "memory" };
}

impl Switch for SharedMemory {
    const NAME: &'static str = "-object";

    fn value(&self) -> String {
        Options::new("memory-backend-memfd")
            .set("id", Self::MACHINE.backend)
            .set("size", format_args!("{}M", self.size))
            .switch("share", true)
            .into_value()
    }
}

/// `-machine memory-backend`: adds to what `-M` said.
pub(in crate::qemu) struct MachineMemory {
    backend: &'static str,
}

impl Switch for MachineMemory {
    const NAME: &'static str = "-machine";

    fn value(&self) -> String {
        Options::new("").set("memory-backend", self.backend).into_value()
    }
}

/// `-device vhost-user-fs-device`: a virtio-fs device that another process serves.
pub(in crate::qemu) struct VhostUserFs {
    pub(in crate::qemu) chardev: &'static str,
    pub(in crate::qemu) tag: &'static str,
}

impl Switch for VhostUserFs {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("vhost-user-fs-device")
            .set("chardev", self.chardev)
            .set("tag", self.tag)
            // The most there is: a process that waits for a lock occupies a place.
            .set("queue-size", 1024)
            .into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_shared() {
        assert_eq!(
            SharedMemory { size: 512 }.value(),
            "memory-backend-memfd,id=memory,size=512M,share=on"
        );
        assert_eq!(SharedMemory::MACHINE.value(), "memory-backend=memory");
    }
}
