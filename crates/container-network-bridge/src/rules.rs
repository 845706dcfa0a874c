//! The nftables rules of a network, as texts for `nft -f`.
//!
//! Each text replaces its table as a whole, so that loading it again repairs whatever happened to it.

use std::fmt::Write;
use std::net::Ipv4Addr;

use container_client::network::{UPLINK_PREFIX, uplink_interface};
use container_resource::NetworkMode;

use crate::holder::{BRIDGE, UPLINK};
use crate::settings::Settings;
use crate::uplink::Link;

/// The port of the gateway that is ours; all others are the host's.
const DNS: u16 = 53;

/// The table in the network's own namespace.
const TABLE: &str = "container";

/// The rules in the network's namespace. `link` leads to the host, if anything does; `translate` says that what leaves
/// must come from the namespace's own address; `localhosts` are addresses that stand for the host's loopback.
pub(crate) fn of_namespace(
    settings: &Settings,
    link: Option<&Link>,
    translate: bool,
    localhosts: &[Ipv4Addr],
) -> String {
    let (ipv4, ipv6) = (settings.ipv4, settings.ipv6);
    let mut prerouting = String::new();
    let mut forward = format!(
        "    iifname \"{BRIDGE}\" ip saddr != {ipv4} drop\n    \
             iifname \"{BRIDGE}\" ip6 saddr != {ipv6} drop\n"
    );
    if let Some(link) = link {
        let ports = format!("meta l4proto {{ tcp, udp }} th dport != {DNS}");
        let (gateway4, gateway6) = (settings.gateway4(), settings.gateway6());
        // Writing to a string cannot fail.
        let _ = write!(
            prerouting,
            "    iifname \"{BRIDGE}\" ip daddr {gateway4} {ports} dnat ip to {}\n    \
                 iifname \"{BRIDGE}\" ip6 daddr {gateway6} {ports} dnat ip6 to {}\n",
            link.host4, link.host6
        );
        for address in localhosts {
            let _ = writeln!(
                prerouting,
                "    iifname \"{BRIDGE}\" ip daddr {address} meta l4proto {{ tcp, udp }} dnat ip to {}",
                link.loopback
            );
        }
        if link.loopback != link.host4 {
            // The host's loopback is for those who know it by a name that the user gave it.
            let _ = writeln!(
                forward,
                "    ip daddr {} ct status & dnat == 0 drop",
                link.loopback
            );
        }
    }
    let (raw, postrouting) = match link {
        Some(_) if translate => (ACKNOWLEDGED, format!("    oifname \"{UPLINK}\" masquerade\n")),
        _ => ("", String::new()),
    };
    table(
        TABLE,
        &[
            ("prerouting", "filter", "raw", raw),
            ("prerouting", "nat", "dstnat", &prerouting),
            ("forward", "filter", "filter", &forward),
            ("postrouting", "nat", "srcnat", &postrouting),
        ],
    )
}

/// There are versions of `pasta` (Debian 12) whose refusals of a connection lack the flag without which they are
/// ignored, so that who connects waits until it gives up. The number that the flag is about is there.
const ACKNOWLEDGED: &str =
    "    iifname \"up0\" tcp flags & (syn | ack | rst) == rst tcp ackseq != 0 tcp flags set rst | ack\n";

/// The rules in the host's namespace, of a network that is connected with it directly.
pub(crate) fn of_host(settings: &Settings, link: &Link, localhosts: &[Ipv4Addr]) -> String {
    let interface = host_interface(settings);
    let (ipv4, ipv6) = (settings.ipv4, settings.ipv6);
    let prerouting = match localhosts {
        [] => String::new(),
        _ => format!(
            "    iifname \"{interface}\" ip daddr {} dnat ip to 127.0.0.1\n",
            link.loopback
        ),
    };
    let outside = match settings.mode {
        NetworkMode::Nat => format!(
            "    oifname \"{interface}\" ct state established,related accept\n    \
                 iifname \"{interface}\" accept\n"
        ),
        NetworkMode::HostOnly => format!("    iifname \"{interface}\" drop\n"),
    };
    // Networks are isolated from each other, and from whoever has a route to their host.
    let forward = format!(
        "    iifname \"{interface}\" oifname \"{UPLINK_PREFIX}*\" drop\n{outside}    oifname \"{interface}\" drop\n"
    );
    let postrouting = match settings.mode {
        NetworkMode::Nat => format!(
            "    ip saddr {ipv4} oifname != \"{interface}\" masquerade\n    \
                 ip6 saddr {ipv6} oifname != \"{interface}\" masquerade\n"
        ),
        NetworkMode::HostOnly => String::new(),
    };
    table(
        &host_table(settings),
        &[
            ("prerouting", "nat", "dstnat", &prerouting),
            ("forward", "filter", "filter", &forward),
            ("postrouting", "nat", "srcnat", &postrouting),
        ],
    )
}

/// What removes the rules in the host's namespace, whether they are there or not.
pub(crate) fn without_host(settings: &Settings) -> String {
    without(&host_table(settings))
}

/// The interface on the host that belongs to the rules of `table`, if these are rules of a network.
pub(crate) fn interface_of(table: &str) -> Option<String> {
    let key = table.strip_prefix("container-")?;
    let is_key = key.len() == 8 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_key.then(|| format!("{UPLINK_PREFIX}{key}"))
}

/// What removes a table, whether it is there or not.
pub(crate) fn without(name: &str) -> String {
    format!("table inet {name}\ndelete table inet {name}\n")
}

/// The host's end of the way to a network.
pub(crate) fn host_interface(settings: &Settings) -> String {
    uplink_interface(&settings.app_root, &settings.id)
}

/// The table of a network on the host.
pub(crate) fn host_table(settings: &Settings) -> String {
    format!("container-{}", settings.key())
}

/// A table in place of the one with the same name: chains by their hook, with type, priority and rules.
fn table(name: &str, chains: &[(&str, &str, &str, &str)]) -> String {
    let mut text = format!("table inet {name}\ndelete table inet {name}\ntable inet {name} {{\n");
    for (hook, kind, priority, rules) in chains.iter().filter(|chain| !chain.3.is_empty()) {
        let _ = write!(
            text,
            "  chain {hook}_{kind} {{\n    type {kind} hook {hook} priority {priority};\n{rules}  }}\n"
        );
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn settings(mode: NetworkMode) -> Settings {
        Settings::new("n", mode, "10.0.0.0/24", "fd00::/64", None, Path::new("/a")).unwrap()
    }

    fn link() -> Link {
        Link {
            host4: Ipv4Addr::new(169, 254, 128, 1),
            own4: Ipv4Addr::new(169, 254, 128, 2),
            loopback: Ipv4Addr::new(169, 254, 128, 3),
            host6: "fd01::1".parse().unwrap(),
            own6: "fd01::2".parse().unwrap(),
        }
    }

    #[test]
    fn the_gateway_is_the_host_apart_from_names() {
        let text = of_namespace(
            &settings(NetworkMode::Nat),
            Some(&link()),
            true,
            &[Ipv4Addr::new(203, 0, 113, 1)],
        );
        assert_eq!(
            text,
            r#"table inet container
delete table inet container
table inet container {
  chain prerouting_filter {
    type filter hook prerouting priority raw;
    iifname "up0" tcp flags & (syn | ack | rst) == rst tcp ackseq != 0 tcp flags set rst | ack
  }
  chain prerouting_nat {
    type nat hook prerouting priority dstnat;
    iifname "br0" ip daddr 10.0.0.1 meta l4proto { tcp, udp } th dport != 53 dnat ip to 169.254.128.1
    iifname "br0" ip6 daddr fd00::1 meta l4proto { tcp, udp } th dport != 53 dnat ip6 to fd01::1
    iifname "br0" ip daddr 203.0.113.1 meta l4proto { tcp, udp } dnat ip to 169.254.128.3
  }
  chain forward_filter {
    type filter hook forward priority filter;
    iifname "br0" ip saddr != 10.0.0.0/24 drop
    iifname "br0" ip6 saddr != fd00::/64 drop
    ip daddr 169.254.128.3 ct status & dnat == 0 drop
  }
  chain postrouting_nat {
    type nat hook postrouting priority srcnat;
    oifname "up0" masquerade
  }
}
"#
        );
        let alone = of_namespace(&settings(NetworkMode::HostOnly), None, true, &[]);
        assert!(!alone.contains("nat"), "{alone}");
    }

    #[test]
    fn networks_do_not_reach_each_other_through_the_host() {
        let settings = settings(NetworkMode::Nat);
        let name = host_interface(&settings);
        let text = of_host(&settings, &link(), &[]);
        let position = |rule: &str| text.find(rule).unwrap_or_else(|| panic!("{rule}: {text}"));
        let isolated = position(&format!("iifname \"{name}\" oifname \"cn-*\" drop"));
        assert!(isolated < position(&format!("iifname \"{name}\" accept")));
        assert!(text.contains(&format!("ip saddr 10.0.0.0/24 oifname != \"{name}\" masquerade")));
        assert!(!text.contains("127.0.0.1"));
    }

    #[test]
    fn a_network_for_the_host_alone_is_not_forwarded() {
        let text = of_host(&settings(NetworkMode::HostOnly), &link(), &[Ipv4Addr::LOCALHOST]);
        assert!(!text.contains("masquerade") && !text.contains("accept"), "{text}");
        assert!(text.contains("ip daddr 169.254.128.3 dnat ip to 127.0.0.1"));
    }
}
