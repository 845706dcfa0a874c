//! Tap devices, each in a network namespace of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};

use container_hypervisor::{MacAddress, Nic, NicKind};
use container_netlink::{Cidr, TAP_DEVICE, add_address, make_tap, set_link};

/// The address of the host's end.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// An interface of a machine, and a server that only it can reach. Takes root.
pub(crate) fn wire(last: u8) -> (Nic, TcpListener) {
    let made = std::thread::spawn(|| {
        // SAFETY: a plain system call. It moves this thread alone, which ends with this closure.
        let moved = unsafe { libc::unshare(libc::CLONE_NEWNET) };
        assert_eq!(moved, 0, "a namespace: {}", std::io::Error::last_os_error());
        let device = std::fs::File::options().read(true).write(true).open(TAP_DEVICE);
        let device = OwnedFd::from(device.expect(TAP_DEVICE));
        make_tap(device.as_fd(), "wire").expect("a tap device");
        let address = Cidr {
            address: HOST.into(),
            prefix: 24,
        };
        add_address("wire", address).expect("an address");
        set_link("wire", true, None).expect("up");
        (device, TcpListener::bind((HOST, 0)).expect("a server"))
    });
    let (device, server) = made.join().expect("the thread in the namespace");
    let nic = Nic {
        mac: MacAddress([2, 0, 0, 0, 0, last]),
        kind: NicKind::Tap(device),
    };
    (nic, server)
}
