//! The console, and the port that carries all streams between host and guest.

use std::os::fd::RawFd;

use super::{Options, Switch};

/// `-chardev`: the host's end of a console, port or monitor.
pub(in crate::qemu) struct Chardev<'a> {
    pub(in crate::qemu) id: &'a str,
    pub(in crate::qemu) backend: CharBackend,
}

/// What a character device is made of.
pub(in crate::qemu) enum CharBackend {
    /// A file in a descriptor set, written at its end.
    File { set: u32 },
    /// A connected socket.
    Socket { fd: RawFd },
}

impl Switch for Chardev<'_> {
    const NAME: &'static str = "-chardev";

    fn value(&self) -> String {
        match self.backend {
            CharBackend::File { set } => Options::new("file")
                .set("id", self.id)
                .set("path", format_args!("/dev/fdset/{set}"))
                .switch("append", true)
                .into_value(),
            CharBackend::Socket { fd } => Options::new("socket")
                .set("id", self.id)
                .set("fd", fd)
                .into_value(),
        }
    }
}

/// `-device virtio-serial-device`: what consoles and ports are plugged into.
pub(in crate::qemu) struct VirtioSerial {
    pub(in crate::qemu) max_ports: u32,
}

impl Switch for VirtioSerial {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtio-serial-device")
            .set("max_ports", self.max_ports)
            .into_value()
    }
}

/// `-device virtconsole`: `hvc0`.
pub(in crate::qemu) struct Virtconsole<'a> {
    pub(in crate::qemu) chardev: &'a str,
}

impl Switch for Virtconsole<'_> {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtconsole")
            .set("chardev", self.chardev)
            .into_value()
    }
}

/// `-device virtserialport`: a port that the guest finds by its name.
pub(in crate::qemu) struct Virtserialport<'a> {
    pub(in crate::qemu) chardev: &'a str,
    pub(in crate::qemu) name: &'a str,
}

impl Switch for Virtserialport<'_> {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtserialport")
            .set("chardev", self.chardev)
            .set("name", self.name)
            .into_value()
    }
}
