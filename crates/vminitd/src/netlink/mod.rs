//! Network interfaces, addresses and routes: the few rtnetlink requests that a container's network takes.

mod message;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use message::{Message, verdict};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cidr {
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
}

impl Cidr {
    /// Parses `address/prefix`; without a prefix, all bits of the address count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(prefix.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }
}

/// Brings an interface up or down, and sets the size of its largest packet.
pub(crate) fn set_link(name: &str, up: bool, mtu: Option<u32>) -> io::Result<()> {
    let flags = if up { libc::IFF_UP as u32 } else { 0 };
    let mut body = vec![libc::AF_UNSPEC as u8, 0, 0, 0];
    body.extend(index_of(name)?.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    // Only this flag changes.
    body.extend((libc::IFF_UP as u32).to_ne_bytes());
    let mut message = Message::new(libc::RTM_NEWLINK, 0, &body);
    if let Some(mtu) = mtu {
        message = message.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    }
    request(message)
}

/// Gives an interface an address. One that it has already is fine.
pub(crate) fn add_address(name: &str, cidr: Cidr) -> io::Result<()> {
    let mut body = vec![family(cidr.address), cidr.prefix, 0, libc::RT_SCOPE_UNIVERSE];
    body.extend(index_of(name)?.to_ne_bytes());
    let message = Message::new(libc::RTM_NEWADDR, libc::NLM_F_CREATE | libc::NLM_F_REPLACE, &body);
    let message = match cidr.address {
        IpAddr::V4(address) => {
            let message = message
                .attribute(libc::IFA_LOCAL, &address.octets())
                .attribute(libc::IFA_ADDRESS, &address.octets());
            match broadcast(address, cidr.prefix) {
                Some(broadcast) => message.attribute(libc::IFA_BROADCAST, &broadcast.octets()),
                None => message,
            }
        }
        // The host handed the address out: looking for somebody else who has it only costs time.
        IpAddr::V6(address) => message
            .attribute(libc::IFA_ADDRESS, &address.octets())
            .attribute(libc::IFA_FLAGS, &libc::IFA_F_NODAD.to_ne_bytes()),
    };
    request(message)
}

/// Where packets of a route go.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
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
}

/// Adds a route through an interface. One that is there already is fine.
pub(crate) fn add_route(name: &str, route: Route) -> io::Result<()> {
    let (address, prefix, scope) = match route {
        Route::Link { to, .. } => (to.address, to.prefix, libc::RT_SCOPE_LINK),
        Route::Default {
            gateway: IpAddr::V4(_),
        } => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0, libc::RT_SCOPE_UNIVERSE),
        Route::Default {
            gateway: IpAddr::V6(_),
        } => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0, libc::RT_SCOPE_UNIVERSE),
    };
    let mut body = vec![
        family(address),
        prefix,
        0,
        0,
        libc::RT_TABLE_MAIN,
        libc::RTPROT_BOOT,
        scope,
        libc::RTN_UNICAST,
    ];
    body.extend(0_u32.to_ne_bytes());
    let mut message = Message::new(
        libc::RTM_NEWROUTE,
        libc::NLM_F_CREATE | libc::NLM_F_REPLACE,
        &body,
    )
    .attribute(libc::RTA_OIF, &index_of(name)?.to_ne_bytes());
    match route {
        Route::Link { to, from } => {
            message = message.attribute(libc::RTA_DST, &octets(to.address));
            if let Some(from) = from {
                message = message.attribute(libc::RTA_PREFSRC, &octets(from));
            }
        }
        Route::Default { gateway } => message = message.attribute(libc::RTA_GATEWAY, &octets(gateway)),
    }
    request(message)
}

fn index_of(name: &str) -> io::Result<u32> {
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, name)?)
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The last address of a network; networks of one or two addresses have none to spare.
fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    let host_bits = u32::MAX.checked_shr(prefix.into()).filter(|_| prefix < 31)?;
    Some(Ipv4Addr::from(u32::from(address) | host_bits))
}

fn request(message: Message) -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is protocol 0, which no type can be made for.
        None,
    )?;
    rustix::net::connect(&socket, &SocketAddrNetlink::new(0, 0))?;
    rustix::net::send(&socket, &message.finish(), SendFlags::empty())?;
    let mut answer = [0; 4096];
    loop {
        let (_, length) = rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty())?;
        match verdict(&answer[..length.min(4096)]) {
            Some(Ok(())) => return Ok(()),
            Some(Err(error)) => return Err(io::Error::from_raw_os_error(error)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_prefix() {
        let v4 = Cidr {
            address: IpAddr::V4(Ipv4Addr::new(192, 168, 64, 3)),
            prefix: 24,
        };
        assert_eq!(Cidr::parse("192.168.64.3/24"), Some(v4));
        assert_eq!(Cidr::parse("192.168.64.3"), Some(Cidr { prefix: 32, ..v4 }));
        assert_eq!(Cidr::parse("fd00::2/64").map(|cidr| cidr.prefix), Some(64));
        assert_eq!(Cidr::parse("fd00::2").map(|cidr| cidr.prefix), Some(128));
        for bad in [
            "",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "::/129",
            "1.2.3.4/24/1",
            "1.2.3.4/-1",
        ] {
            assert_eq!(Cidr::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn broadcast_addresses() {
        let address = Ipv4Addr::new(10, 1, 2, 3);
        assert_eq!(broadcast(address, 24), Some(Ipv4Addr::new(10, 1, 2, 255)));
        assert_eq!(broadcast(address, 0), Some(Ipv4Addr::BROADCAST));
        assert_eq!(broadcast(address, 31), None);
        assert_eq!(broadcast(address, 32), None);
    }

    #[test]
    fn an_interface_that_is_not_there_is_an_error() {
        assert_eq!(
            set_link("nosuch0", true, None).unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
    }
}
