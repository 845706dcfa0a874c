//! Which subnets a network gets (behaviour reference, 15.1).

use std::net::Ipv4Addr;

use container_ipc::Error;
use container_resource::subnet::{self, Ipv4Net, Ipv6Net};
use container_resource::{NetworkConfiguration, NetworkStatus};
use serde::{Deserialize, Serialize};

/// Where free IPv4 subnets are looked for: all /24 from the first to the last of each range.
const POOLS: [(Ipv4Addr, Ipv4Addr); 2] = [
    (Ipv4Addr::new(192, 168, 64, 0), Ipv4Addr::new(192, 168, 255, 0)),
    (Ipv4Addr::new(10, 192, 0, 0), Ipv4Addr::new(10, 255, 255, 0)),
];

/// What a network uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Subnets {
    #[serde(with = "text")]
    pub(super) ipv4: Ipv4Net,
    #[serde(with = "text")]
    pub(super) ipv6: Ipv6Net,
}

impl Subnets {
    /// What users see.
    pub(super) fn status(&self) -> NetworkStatus {
        NetworkStatus {
            ipv4_subnet: self.ipv4.to_string(),
            ipv4_gateway: subnet::ipv4_gateway(self.ipv4).to_string(),
            ipv6_subnet: Some(self.ipv6.to_string()),
        }
    }

    /// What a helper says that it serves.
    pub(super) fn of(status: &NetworkStatus) -> Option<Self> {
        Some(Self {
            ipv4: subnet::parse_ipv4(&status.ipv4_subnet).ok()?,
            ipv6: subnet::parse_ipv6(status.ipv6_subnet.as_deref()?).ok()?,
        })
    }
}

/// What somebody asks for; none of both is fine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) ipv4: Option<Ipv4Net>,
    pub(super) ipv6: Option<Ipv6Net>,
}

impl Wanted {
    /// What `network` asks for.
    ///
    /// # Errors
    /// It is no subnet.
    pub(super) fn of(network: &NetworkConfiguration) -> Result<Self, Error> {
        let ipv4 = network.ipv4_subnet.as_deref().map(subnet::parse_ipv4);
        let ipv6 = network.ipv6_subnet.as_deref().map(subnet::parse_ipv6);
        let invalid = |error: subnet::SubnetError| Error::invalid_argument(error.to_string());
        Ok(Self {
            ipv4: ipv4.transpose().map_err(invalid)?,
            ipv6: ipv6.transpose().map_err(invalid)?,
        })
    }
}

/// What is in use already.
#[derive(Debug, Clone, Default)]
pub(super) struct Used {
    /// By the other networks.
    pub(super) networks: Vec<Subnets>,
    /// By the host: its addresses and where its routes lead.
    pub(super) host: Vec<Ipv4Net>,
}

/// The subnets for a network that wants `wanted` and had `before`: what is asked for, else what it had if that is still
/// free, else a free one.
///
/// # Errors
/// What is asked for overlaps another network, or nothing is free.
pub(super) fn choose(wanted: Wanted, before: Option<Subnets>, used: &Used) -> Result<Subnets, Error> {
    let ipv4_of_others = || used.networks.iter().map(|other| other.ipv4);
    let is_free = |candidate: &Ipv4Net| {
        let mut taken = ipv4_of_others().chain(used.host.iter().copied());
        !taken.any(|other| overlap(*candidate, other))
    };
    let ipv4 = match wanted.ipv4 {
        Some(ipv4) => {
            let other = ipv4_of_others().find(|other| overlap(ipv4, *other));
            if let Some(other) = other {
                return Err(overlaps("IPv4", &ipv4, &other));
            }
            ipv4
        }
        None => before
            .map(|before| before.ipv4)
            .filter(is_free)
            .or_else(|| pool().find(is_free))
            .ok_or_else(|| {
                Error::invalid_state(
                    "no IPv4 subnet is free; choose one with `container network create --subnet`",
                )
            })?,
    };
    let ipv6_of_others = || used.networks.iter().map(|other| other.ipv6);
    let ipv6 = match wanted.ipv6 {
        Some(ipv6) => {
            // All of them have the same length, so that overlapping ones are equal.
            if let Some(other) = ipv6_of_others().find(|other| *other == ipv6) {
                return Err(overlaps("IPv6", &ipv6, &other));
            }
            ipv6
        }
        None => before
            .map(|before| before.ipv6)
            .filter(|ipv6| ipv6_of_others().all(|other| other != *ipv6))
            .unwrap_or_else(subnet::random_ipv6),
    };
    Ok(Subnets { ipv4, ipv6 })
}

/// Refuses a subnet that would hide a part of the host's own network.
///
/// # Errors
/// It overlaps an address or route of the host.
pub(super) fn refuse_host(wanted: Wanted, used: &Used) -> Result<(), Error> {
    let Some(ipv4) = wanted.ipv4 else { return Ok(()) };
    match used.host.iter().find(|other| overlap(ipv4, **other)) {
        Some(other) => Err(Error::invalid_argument(format!(
            "IPv4 subnet {ipv4} overlaps the host's own network {other}"
        ))),
        None => Ok(()),
    }
}

fn overlaps(family: &str, subnet: &dyn std::fmt::Display, other: &dyn std::fmt::Display) -> Error {
    Error::exists(format!(
        "{family} subnet {subnet} overlaps an existing network with subnet {other}"
    ))
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b.network()) || b.contains(&a.network())
}

fn pool() -> impl Iterator<Item = Ipv4Net> {
    POOLS.into_iter().flat_map(|(first, last)| {
        let numbers = (u32::from(first)..=u32::from(last)).step_by(1 << 8);
        numbers.map(|number| Ipv4Net::new_assert(Ipv4Addr::from(number), 24))
    })
}

/// Subnets as text.
mod text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    fn used(networks: &[Subnets], host: &[&str]) -> Used {
        Used {
            networks: networks.to_vec(),
            host: host.iter().map(|text| v4(text)).collect(),
        }
    }

    #[test]
    fn free_ones_from_the_first_upward() {
        let first = choose(Wanted::default(), None, &Used::default()).unwrap();
        assert_eq!(first.ipv4, v4("192.168.64.0/24"));
        let second = choose(Wanted::default(), None, &used(&[first], &["192.168.65.7/32"])).unwrap();
        assert_eq!(second.ipv4, v4("192.168.66.0/24"));
        assert_ne!(second.ipv6, first.ipv6);
        // What it had stays, unless the host uses it now.
        let again = choose(Wanted::default(), Some(second), &used(&[first], &[])).unwrap();
        assert_eq!(again, second);
        let moved = choose(
            Wanted::default(),
            Some(second),
            &used(&[first], &["192.168.0.0/16"]),
        )
        .unwrap();
        assert_eq!((moved.ipv4, moved.ipv6), (v4("10.192.0.0/24"), second.ipv6));
    }

    #[test]
    fn requested_ones_must_not_overlap() {
        let other = choose(Wanted::default(), None, &Used::default()).unwrap();
        let wanted = |ipv4: &str| Wanted {
            ipv4: Some(v4(ipv4)),
            ipv6: None,
        };
        let chosen =
            |ipv4| choose(wanted(ipv4), None, &used(&[other], &[])).map_err(|error| error.to_string());
        assert_eq!(chosen("10.9.0.0/16").unwrap().ipv4, v4("10.9.0.0/16"));
        assert_eq!(
            chosen("192.168.64.128/25"),
            Err(
                "IPv4 subnet 192.168.64.128/25 overlaps an existing network with subnet 192.168.64.0/24"
                    .to_owned()
            )
        );
        let same = Wanted {
            ipv4: None,
            ipv6: Some(other.ipv6),
        };
        assert_eq!(
            choose(same, None, &used(&[other], &[])).map_err(|error| error.to_string()),
            Err(format!(
                "IPv6 subnet {0} overlaps an existing network with subnet {0}",
                other.ipv6
            ))
        );
        assert!(refuse_host(wanted("10.0.0.0/24"), &used(&[], &["10.0.0.5/32"])).is_err());
        assert!(refuse_host(wanted("10.0.1.0/24"), &used(&[], &["10.0.0.5/32"])).is_ok());
    }

    #[test]
    fn stored_as_text() {
        let subnets = choose(Wanted::default(), None, &Used::default()).unwrap();
        let json = serde_json::to_string(&subnets).unwrap();
        assert!(
            json.starts_with(r#"{"ipv4":"192.168.64.0/24","ipv6":"fd"#),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Subnets>(&json).unwrap(), subnets);
        assert_eq!(Subnets::of(&subnets.status()), Some(subnets));
    }
}
