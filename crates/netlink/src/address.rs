//! Addresses of interfaces.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use crate::link::index_of;
use crate::message::Message;
use crate::request;

/// An address with the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    /// The address.
    pub address: IpAddr,
    /// How many of its first bits name the network.
    pub prefix: u8,
}

impl Cidr {
    /// Parses `address/prefix`; without a prefix, all bits of the address count.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address.parse().ok()?, Some(prefix.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let bits = bits(address);
        let prefix = prefix.unwrap_or(bits);
        (prefix <= bits).then_some(Self { address, prefix })
    }

    /// The address alone, as a network of one.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address,
            prefix: bits(address),
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Gives an interface an address. One that it has already is fine.
///
/// # Errors
/// There is no such interface, or the kernel refuses.
pub fn add_address(name: &str, cidr: Cidr) -> io::Result<()> {
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

pub(crate) fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The last address of a network; networks of one or two addresses have none to spare.
fn broadcast(address: Ipv4Addr, prefix: u8) -> Option<Ipv4Addr> {
    let host_bits = u32::MAX.checked_shr(prefix.into()).filter(|_| prefix < 31)?;
    Some(Ipv4Addr::from(u32::from(address) | host_bits))
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
        assert_eq!(v4.to_string(), "192.168.64.3/24");
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
}
