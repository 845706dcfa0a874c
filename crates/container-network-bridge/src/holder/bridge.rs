//! The bridge and the uplink, as seen from within.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use container_netlink::{self as netlink, Cidr, Route};

use super::{BRIDGE, UPLINK};

/// The bridge's own MTU in bytes: the largest there is, since a network's containers choose theirs. What is sent to one of
/// them respects the route to it.
const MTU: u32 = 65535;

/// Has the bridge with these addresses, and lets the namespace pass packets on.
pub(super) fn ensure_bridge(mac: [u8; 6], addresses: &[(IpAddr, u8)]) -> io::Result<()> {
    netlink::set_link("lo", true, None)?;
    if !netlink::link_exists(BRIDGE)? {
        netlink::add_bridge(BRIDGE, mac)?;
    }
    // Nobody advertises routes here, and addresses are handed out.
    let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{BRIDGE}/accept_ra"), "0");
    netlink::set_link(BRIDGE, true, Some(MTU))?;
    for (address, prefix) in usable(addresses) {
        netlink::add_address(BRIDGE, Cidr { address, prefix })?;
    }
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    match fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1") {
        // A host without IPv6.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Brings the uplink up.
pub(super) fn ensure_uplink(mtu: u32, addresses: &[(IpAddr, u8)], routers: &[IpAddr]) -> io::Result<()> {
    netlink::set_link(UPLINK, true, Some(mtu))?;
    for (address, prefix) in usable(addresses) {
        netlink::add_address(UPLINK, Cidr { address, prefix })?;
    }
    for &gateway in routers.iter().filter(|&&router| is_usable(router)) {
        netlink::add_route(UPLINK, Route::Default { gateway })?;
    }
    Ok(())
}

/// Those of `addresses` that this kernel can have: it may be one without IPv6.
fn usable(addresses: &[(IpAddr, u8)]) -> impl Iterator<Item = (IpAddr, u8)> {
    addresses
        .iter()
        .copied()
        .filter(|&(address, _)| is_usable(address))
}

/// Whether this kernel can have `address`.
pub(super) fn is_usable(address: IpAddr) -> bool {
    address.is_ipv4() || Path::new("/proc/sys/net/ipv6").exists()
}
