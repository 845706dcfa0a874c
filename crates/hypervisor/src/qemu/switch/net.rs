//! Network interfaces and what they are connected to.

use std::os::fd::RawFd;

use super::{Options, Switch};
use crate::MacAddress;

/// `-netdev tap`.
pub(in crate::qemu) struct Netdev<'a> {
    pub(in crate::qemu) id: &'a str,
    /// The tap device.
    pub(in crate::qemu) fd: RawFd,
}

impl Switch for Netdev<'_> {
    const NAME: &'static str = "-netdev";

    fn value(&self) -> String {
        Options::new("tap")
            .set("id", self.id)
            .set("fd", self.fd)
            .into_value()
    }
}

/// `-device virtio-net-device`.
pub(in crate::qemu) struct VirtioNet<'a> {
    pub(in crate::qemu) netdev: &'a str,
    pub(in crate::qemu) mac: MacAddress,
}

impl Switch for VirtioNet<'_> {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtio-net-device")
            .set("netdev", self.netdev)
            .set("mac", self.mac)
            .into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces() {
        let netdev = Netdev { id: "net0", fd: 9 };
        assert_eq!(netdev.value(), "tap,id=net0,fd=9");
        let nic = VirtioNet {
            netdev: "net0",
            mac: MacAddress([2, 0, 0, 0, 0xab, 1]),
        };
        assert_eq!(nic.value(), "virtio-net-device,netdev=net0,mac=02:00:00:00:ab:01");
    }
}
