//! The IPv4 addresses and routes of the host.

use container_resource::subnet::Ipv4Net;
use if_addrs::IfAddr;

/// The networks that the host has an address in or, on Linux, a route to, except through the interfaces in `own`, and on
/// macOS through vmnet's bridges with one of the subnets `used` by networks of this installation: those have no name that
/// says whose they are, and stay for a moment when a network's helper dies. The default route is none of them.
pub(super) fn networks(own: &[String], used: &[Ipv4Net]) -> Vec<Ipv4Net> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "failed to read the host's addresses");
        Vec::new()
    });
    let mut networks: Vec<Ipv4Net> = interfaces
        .into_iter()
        .filter(|interface| !own.contains(&interface.name))
        .filter_map(|interface| match interface.addr {
            IfAddr::V4(address) => {
                let net = Ipv4Net::with_netmask(address.ip, address.netmask).ok()?.trunc();
                let is_own = cfg!(target_os = "macos") && is_bridge(&interface.name) && used.contains(&net);
                (!is_own).then_some(net)
            }
            IfAddr::V6(_) => None,
        })
        .collect();
    #[cfg(target_os = "linux")]
    networks.extend(routes::read(own));
    networks.sort();
    networks.dedup();
    networks
}

/// Whether an interface of macOS can be one of vmnet's: `bridge100` and on.
fn is_bridge(name: &str) -> bool {
    let number = name.strip_prefix("bridge").and_then(|rest| rest.parse().ok());
    number.is_some_and(|number: u32| number >= 100)
}

#[cfg(target_os = "linux")]
mod routes {
    use std::net::Ipv4Addr;

    use container_resource::subnet::Ipv4Net;

    pub(super) fn read(own: &[String]) -> Vec<Ipv4Net> {
        let table = std::fs::read_to_string("/proc/net/route").unwrap_or_else(|error| {
            tracing::warn!(%error, "failed to read the host's routes");
            String::new()
        });
        parse(&table, own)
    }

    /// Lines of `/proc/net/route`: interface, destination and, seventh, mask; numbers in the host's byte order.
    fn parse(table: &str, own: &[String]) -> Vec<Ipv4Net> {
        let route = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [interface, destination, _, _, _, _, _, mask, ..] = fields.as_slice() else {
                return None;
            };
            if own.iter().any(|name| name == interface) {
                return None;
            }
            let number = |text: &str| u32::from_str_radix(text, 16).ok();
            let address = |number: u32| Ipv4Addr::from(number.to_ne_bytes());
            let net = Ipv4Net::with_netmask(address(number(destination)?), address(number(mask)?)).ok()?;
            (net.prefix_len() > 0).then(|| net.trunc())
        };
        table.lines().skip(1).filter_map(route).collect()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        #[cfg(target_endian = "little")]
        fn routes_except_the_default_one_and_our_own() {
            let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                         eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                         eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                         cn-1\t0040A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\nshort line\n";
            let names = |own: &[&str]| {
                let own: Vec<String> = own.iter().map(|name| (*name).to_owned()).collect();
                parse(table, &own)
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
            };
            assert_eq!(names(&["cn-1"]), ["172.17.0.0/16"]);
            assert_eq!(names(&[]), ["172.17.0.0/16", "192.168.64.0/24"]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_of_vmnet_have_high_numbers() {
        assert!(is_bridge("bridge100") && is_bridge("bridge101"));
        for other in ["bridge0", "bridge", "bridge100x", "en0"] {
            assert!(!is_bridge(other), "{other}");
        }
    }
}
