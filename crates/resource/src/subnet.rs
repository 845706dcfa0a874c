//! Subnets of networks (behaviour reference, 15.1 and 15.2).

use std::net::{Ipv4Addr, Ipv6Addr};

pub use ipnet::{Ipv4Net, Ipv6Net};

/// The longest prefix of an IPv4 subnet: one that leaves addresses for containers.
const LONGEST_IPV4: u8 = 29;
/// The prefix of an IPv6 subnet: hardware addresses become addresses in it.
const IPV6_PREFIX: u8 = 64;

/// Why a text is no subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// It is not an address with a prefix length.
    #[error(
        "invalid subnet '{0}': must be an address and a prefix length, as 192.168.64.0/24 or fd00:0:0:1::/64"
    )]
    Syntax(String),
    /// No container would find room in it.
    #[error("IPv4 subnet {0} is too small: its prefix length must be at most 29")]
    TooSmall(Ipv4Net),
    /// Its addresses do not go to containers.
    #[error("IPv4 subnet {0} cannot be used: it is not of the addresses for private or public hosts")]
    Reserved(Ipv4Net),
    /// The prefix has another length than 64.
    #[error("invalid IPv6 prefix length {0}: must be 64")]
    PrefixLength(u8),
    /// Its addresses do not go to containers.
    #[error("IPv6 subnet {0} cannot be used: it is not of the addresses for private or public hosts")]
    Reserved6(Ipv6Net),
}

/// Parses an IPv4 subnet. Bits behind the prefix are cut.
///
/// # Errors
/// It is none, or none that a network can have.
pub fn parse_ipv4(text: &str) -> Result<Ipv4Net, SubnetError> {
    let net: Ipv4Net = text.parse().map_err(|_| SubnetError::Syntax(text.to_owned()))?;
    let net = net.trunc();
    let first = net.network();
    if net.prefix_len() > LONGEST_IPV4 {
        return Err(SubnetError::TooSmall(net));
    }
    let last = net.broadcast();
    let low = first.octets()[0] == 0 || first.is_loopback() || first.is_link_local();
    if low || last.octets()[0] >= 224 {
        return Err(SubnetError::Reserved(net));
    }
    Ok(net)
}

/// Parses an IPv6 subnet. Bits behind the prefix are cut.
///
/// # Errors
/// It is none, or none that a network can have.
pub fn parse_ipv6(text: &str) -> Result<Ipv6Net, SubnetError> {
    let net: Ipv6Net = text.parse().map_err(|_| SubnetError::Syntax(text.to_owned()))?;
    let net = net.trunc();
    if net.prefix_len() != IPV6_PREFIX {
        return Err(SubnetError::PrefixLength(net.prefix_len()));
    }
    let first = net.network();
    if first.segments()[0] == 0 || first.is_multicast() || first.is_unicast_link_local() {
        return Err(SubnetError::Reserved6(net));
    }
    Ok(net)
}

/// The gateway of an IPv4 subnet: the first address after the subnet's own.
pub fn ipv4_gateway(net: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).saturating_add(1))
}

/// The gateway of an IPv6 subnet: the first address after the subnet's own.
pub fn ipv6_gateway(net: Ipv6Net) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(net.network()).saturating_add(1))
}

/// A random subnet of the addresses that everybody may use at home (RFC 4193): `fd`, 40 random bits, 0.
pub fn random_ipv6() -> Ipv6Net {
    let random = uuid::Uuid::new_v4();
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    octets[1..6].copy_from_slice(&random.as_bytes()[..5]);
    // The length is one that exists.
    Ipv6Net::new_assert(Ipv6Addr::from(octets), IPV6_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets() {
        let v4 = |text| parse_ipv4(text).map(|net| net.to_string());
        assert_eq!(v4("192.168.64.7/24").as_deref(), Ok("192.168.64.0/24"));
        assert_eq!(v4("10.0.0.0/8").as_deref(), Ok("10.0.0.0/8"));
        for bad in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/30",
            "0.0.0.0/0",
            "127.0.0.0/24",
            "224.0.0.0/24",
            "169.254.1.0/24",
            "192.0.0.0/1",
            "fd00::/64",
            "10.0.0.0/24/1",
        ] {
            assert!(v4(bad).is_err(), "{bad}");
        }
        let v6 = |text| parse_ipv6(text).map(|net| net.to_string());
        assert_eq!(v6("fd00:0:0:1::5/64").as_deref(), Ok("fd00:0:0:1::/64"));
        for bad in [
            "fd00::/48",
            "fd00::",
            "::/64",
            "fe80::/64",
            "ff02::/64",
            "10.0.0.0/24",
        ] {
            assert!(v6(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn gateways_are_first() {
        let v4 = parse_ipv4("10.1.2.0/24").unwrap();
        assert_eq!(ipv4_gateway(v4), Ipv4Addr::new(10, 1, 2, 1));
        let v6 = random_ipv6();
        assert_eq!(parse_ipv6(&v6.to_string()), Ok(v6));
        assert!(v6.network().is_unique_local() && v6.contains(&ipv6_gateway(v6)));
        assert_ne!(v6, random_ipv6());
    }
}
