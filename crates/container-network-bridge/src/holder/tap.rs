//! Tap devices.
//!
//! A tap device lives as long as somebody has its descriptor: here nobody keeps one, so it is there exactly while a
//! virtual machine uses it.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use container_netlink::{self as netlink, Route, TAP_DEVICE as DEVICE};
use rustix::fs::{Mode, OFlags};

use super::BRIDGE;
use super::bridge::is_usable;

/// Makes the tap device `name`.
pub(super) fn make(name: &str, mtu: u32, addresses: &[IpAddr]) -> Result<OwnedFd, String> {
    let device = rustix::fs::open(
        DEVICE,
        OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
    );
    let device = device.map_err(|error| {
        format!(
            "failed to open {DEVICE}: {error}. Load the module (modprobe tun) and let users open the device (chmod 0666 \
             {DEVICE}), or run scripts/setup-debian.sh as root"
        )
    })?;
    let made = netlink::make_tap(device.as_fd(), name)
        .and_then(|()| netlink::set_link(name, false, Some(mtu)))
        .and_then(|()| netlink::set_master(name, BRIDGE))
        .and_then(|()| netlink::set_link(name, true, None))
        .and_then(|()| {
            let mut routes = routes(addresses, mtu);
            routes.try_for_each(|route| netlink::add_route(BRIDGE, route))
        });
    made.map_err(|error| format!("failed to make the tap device {name}: {error}"))?;
    Ok(device)
}

/// Removes the tap device `name`, whoever uses it.
pub(super) fn remove(name: &str, addresses: &[IpAddr]) -> io::Result<()> {
    for route in routes(addresses, 0) {
        netlink::delete_route(BRIDGE, route)?;
    }
    netlink::delete_link(name)
}

/// Routes that tell the gateway how large packets may be that are sent to this device.
fn routes(addresses: &[IpAddr], mtu: u32) -> impl Iterator<Item = Route> {
    let addresses = addresses.iter().filter(|&&address| is_usable(address));
    addresses.map(move |&to| Route::Neighbour { to, mtu })
}
