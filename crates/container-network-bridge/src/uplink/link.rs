//! The addresses between a network's namespace and the host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;

use crate::error::Error;
use crate::settings::Settings;

/// The addresses between a network's namespace and the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    /// The host.
    pub(crate) host4: Ipv4Addr,
    /// The namespace.
    pub(crate) own4: Ipv4Addr,
    /// The host's loopback interface.
    pub(crate) loopback: Ipv4Addr,
    /// The host.
    pub(crate) host6: Ipv6Addr,
    /// The namespace.
    pub(crate) own6: Ipv6Addr,
}

/// The length of the prefix of a link's IPv4 addresses.
pub(crate) const PREFIX4: u8 = 29;
/// The length of the prefix of a link's IPv6 addresses.
pub(crate) const PREFIX6: u8 = 126;

/// The first of the link-local addresses that links are made of (169.254.128.0/17).
const FIRST: u32 = u32::from_be_bytes([169, 254, 128, 0]);
/// How many links they are enough for.
const LINKS: u32 = 1 << (PREFIX4 - 17);
/// Where clouds have their metadata services.
const RESERVED: [Ipv4Net; 1] = [Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 168, 0), 22)];

impl Link {
    /// A link that none of `addresses`, the host's own, is on. The same network gets the same one if it can.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn choose(settings: &Settings, addresses: &[IpAddr]) -> Result<Self, Error> {
        let key = u32::from_str_radix(&settings.key(), 16).unwrap_or_default();
        let candidates = (0..LINKS).map(|offset| {
            let number = key.wrapping_add(offset) % LINKS;
            Ipv4Net::new_assert(Ipv4Addr::from(FIRST + (number << (32 - PREFIX4))), PREFIX4)
        });
        let is_free = |net: &Ipv4Net| {
            !RESERVED.iter().any(|reserved| reserved.contains(net))
                && !addresses.iter().any(|address| match address {
                    IpAddr::V4(address) => net.contains(address),
                    IpAddr::V6(_) => false,
                })
        };
        let free = candidates.into_iter().find(is_free);
        let free = free.ok_or_else(|| {
            Error::Uplink("all link-local addresses of 169.254.128.0/17 are in use".to_owned())
        })?;
        Ok(Self::of(free, key))
    }

    /// The link with the addresses of `net`, and IPv6 addresses that follow from `key`.
    fn of(net: Ipv4Net, key: u32) -> Self {
        let at = |offset: u32| Ipv4Addr::from(u32::from(net.network()) + offset);
        // A unique local prefix (RFC 4193) whose global part is the key, and "cn".
        let [a, b, c, d] = key.to_be_bytes();
        let prefix = Ipv6Addr::from([0xfd, a, b, c, d, 0x63, 0x6e, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        let at6 = |offset: u128| Ipv6Addr::from(u128::from(prefix) + offset);
        Self {
            host4: at(1),
            own4: at(2),
            loopback: at(3),
            host6: at6(1),
            own6: at6(2),
        }
    }

    /// The namespace's addresses with the lengths of their prefixes.
    pub(crate) fn own(&self) -> Vec<(IpAddr, u8)> {
        vec![(self.own4.into(), PREFIX4), (self.own6.into(), PREFIX6)]
    }

    /// The host's addresses.
    pub(crate) fn host(&self) -> Vec<IpAddr> {
        vec![self.host4.into(), self.host6.into()]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use container_resource::NetworkMode;

    use super::*;

    #[test]
    fn links_avoid_what_the_host_has() {
        let settings = Settings::new(
            "n",
            NetworkMode::Nat,
            "10.0.0.0/24",
            "fd00::/64",
            None,
            Path::new("/a"),
        )
        .unwrap();
        let first = Link::choose(&settings, &[]).unwrap();
        assert_eq!(Link::choose(&settings, &[]).unwrap(), first);
        let second = Link::choose(&settings, &[first.own4.into()]).unwrap();
        assert_ne!(second.host4, first.host4);
        assert_eq!(second.host6, first.host6);
        let all: Vec<IpAddr> = (0..LINKS).map(|n| Ipv4Addr::from(FIRST + 8 * n).into()).collect();
        assert!(Link::choose(&settings, &all).is_err());
    }

    #[test]
    fn metadata_services_keep_their_address() {
        assert!(RESERVED[0].contains(&Ipv4Addr::new(169, 254, 169, 254)));
        let first = |n: u32| Ipv4Addr::from(FIRST + 8 * n);
        let others = (0..LINKS)
            .map(first)
            .filter(|address| !RESERVED[0].contains(address));
        let all: Vec<IpAddr> = others.map(IpAddr::from).collect();
        let settings = Settings::new(
            "n",
            NetworkMode::Nat,
            "10.0.0.0/24",
            "fd00::/64",
            None,
            Path::new("/a"),
        )
        .unwrap();
        assert!(Link::choose(&settings, &all).is_err());
    }
}
