//! Routes of the main table.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::{Cidr, family, octets};
use crate::link::index_of;
use crate::message::{Attributes, Message};
use crate::request;

/// Of `<linux/rtnetlink.h>`: the metric that is the largest packet's size.
const RTAX_MTU: u16 = 2;

/// Where packets of a route go.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    /// To a destination that the link reaches itself, from an address of this machine if one is given.
    Link {
        /// Destination.
        to: Cidr,
        /// Source address.
        from: Option<IpAddr>,
    },
    /// To everywhere, through a router.
    Default {
        /// Router.
        gateway: IpAddr,
    },
    /// To a destination through a router, from an address of this machine.
    Via {
        /// Destination.
        to: Cidr,
        /// Router.
        gateway: IpAddr,
        /// Source address.
        from: IpAddr,
    },
    /// To one machine on the link, in packets of at most `mtu` bytes.
    Neighbour {
        /// Destination.
        to: IpAddr,
        /// Size of the largest packet in bytes.
        mtu: u32,
    },
}

/// Adds a route through an interface. One that is there already is fine.
///
/// # Errors
/// There is no such interface, or the kernel refuses.
pub fn add_route(name: &str, route: Route) -> io::Result<()> {
    put(name, route, libc::NLM_F_REPLACE)
}

/// Adds a route through an interface that no other interface may have. One through this interface is replaced.
///
/// # Errors
/// Another interface has such a route ([`io::ErrorKind::AlreadyExists`]), there is no such interface, or the kernel
/// refuses.
pub fn claim_route(name: &str, route: Route) -> io::Result<()> {
    delete_route(name, route)?;
    put(name, route, libc::NLM_F_EXCL)
}

fn put(name: &str, route: Route, how: i32) -> io::Result<()> {
    let message = Message::new(libc::RTM_NEWROUTE, libc::NLM_F_CREATE | how, &header(route));
    let mut message = target(message, name, route)?;
    match route {
        Route::Link { from: Some(from), .. } | Route::Via { from, .. } => {
            message = message.attribute(libc::RTA_PREFSRC, &octets(from));
        }
        Route::Neighbour { mtu, .. } => {
            let metrics = Attributes::default().with(RTAX_MTU, &mtu.to_ne_bytes());
            message = message.nested(libc::RTA_METRICS, &metrics);
        }
        _ => {}
    }
    request(message)
}

/// Removes a route. One that is not there is fine.
///
/// # Errors
/// There is no such interface, or the kernel refuses.
pub fn delete_route(name: &str, route: Route) -> io::Result<()> {
    let message = Message::new(libc::RTM_DELROUTE, 0, &header(route));
    match request(target(message, name, route)?) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        done => done,
    }
}

/// `struct rtmsg`.
fn header(route: Route) -> Vec<u8> {
    let (to, scope) = match route {
        Route::Link { to, .. } => (to, libc::RT_SCOPE_LINK),
        Route::Neighbour { to, .. } => (Cidr::host(to), libc::RT_SCOPE_LINK),
        Route::Via { to, .. } => (to, libc::RT_SCOPE_UNIVERSE),
        Route::Default { gateway } => (everywhere(gateway), libc::RT_SCOPE_UNIVERSE),
    };
    let mut body = vec![
        family(to.address),
        to.prefix,
        0,
        0,
        libc::RT_TABLE_MAIN,
        libc::RTPROT_BOOT,
        scope,
        libc::RTN_UNICAST,
    ];
    body.extend(0_u32.to_ne_bytes());
    body
}

fn target(message: Message, name: &str, route: Route) -> io::Result<Message> {
    let message = message.attribute(libc::RTA_OIF, &index_of(name)?.to_ne_bytes());
    let to = |message: Message, to| message.attribute(libc::RTA_DST, &octets(to));
    let through = |message: Message, gateway| message.attribute(libc::RTA_GATEWAY, &octets(gateway));
    Ok(match route {
        Route::Link { to: cidr, .. } => to(message, cidr.address),
        Route::Neighbour { to: address, .. } => to(message, address),
        Route::Via {
            to: cidr, gateway, ..
        } => through(to(message, cidr.address), gateway),
        Route::Default { gateway } => through(message, gateway),
    })
}

/// All addresses of the family of `address`.
fn everywhere(address: IpAddr) -> Cidr {
    let address = match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Cidr { address, prefix: 0 }
}
