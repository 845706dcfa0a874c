//! Network interfaces and what they are connected to.

use std::os::fd::RawFd;

use super::{Options, Switch};
use crate::{MacAddress, UserNetwork};

/// `-netdev`.
pub(in crate::qemu) struct Netdev<'a> {
    pub(in crate::qemu) id: &'a str,
    pub(in crate::qemu) backend: Backend<'a>,
}

/// The host's side of an interface.
pub(in crate::qemu) enum Backend<'a> {
    /// A network inside of QEMU.
    User(&'a UserNetwork),
    /// A tap device.
    Tap { fd: RawFd },
}

impl Switch for Netdev<'_> {
    const NAME: &'static str = "-netdev";

    fn value(&self) -> String {
        match &self.backend {
            Backend::User(network) => Options::new("user")
                .set("id", self.id)
                .switch("ipv6", false)
                .set("net", format_args!("{}/{}", network.network, network.prefix))
                .set("host", network.gateway)
                .set("dns", network.dns)
                .switch("restrict", network.restrict)
                .into_value(),
            Backend::Tap { fd } => Options::new("tap").set("id", self.id).set("fd", fd).into_value(),
        }
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
    fn backends() {
        let network = UserNetwork {
            restrict: true,
            ..UserNetwork::default()
        };
        assert_eq!(
            Netdev {
                id: "net0",
                backend: Backend::User(&network)
            }
            .value(),
            "user,id=net0,ipv6=off,net=10.0.2.0/24,host=10.0.2.2,dns=10.0.2.3,restrict=on"
        );
        assert_eq!(
            Netdev {
                id: "net1",
                backend: Backend::Tap { fd: 9 }
            }
            .value(),
            "tap,id=net1,fd=9"
        );
    }

    #[test]
    fn interfaces() {
        let nic = VirtioNet {
            netdev: "net0",
            mac: MacAddress([2, 0, 0, 0, 0xab, 1]),
        };
        assert_eq!(nic.value(), "virtio-net-device,netdev=net0,mac=02:00:00:00:ab:01");
    }
}
