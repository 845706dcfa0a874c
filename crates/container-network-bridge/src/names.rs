//! What the network's name server knows.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use container_dns::{Addresses, Names};
use ipnet::IpNet;

use crate::lease::{Leases, plain_name};
use crate::local::LocalDomains;
use crate::settings::Settings;

/// The zone of the names below.
const INTERNAL: &str = "container.internal";
/// The host, which the gateway's address leads to. It has no IPv6 address: most services listen on IPv4 alone, and not
/// every program tries a second address.
const HOST: &str = "host.container.internal";
/// The gateway itself.
const GATEWAY: &str = "gateway.container.internal";

/// The names of a network: of its containers, of its gateway, and those that the user gave the host's loopback.
#[derive(Debug)]
pub(crate) struct NetworkNames {
    pub(crate) settings: Settings,
    pub(crate) leases: Arc<Mutex<Leases>>,
    pub(crate) local: Arc<LocalDomains>,
}

impl Names for NetworkNames {
    fn find(&self, name: &str) -> Option<Addresses> {
        if name == HOST || name == GATEWAY {
            return Some(Addresses {
                ipv4: Some(self.settings.gateway4()),
                ipv6: (name == GATEWAY).then(|| self.settings.gateway6()),
            });
        }
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lease) = leases.named(name, self.settings.domain.as_deref()) {
            return Some(Addresses {
                ipv4: Some(lease.ipv4),
                ipv6: Some(lease.ipv6),
            });
        }
        let address = self.local.find(name)?;
        Some(Addresses {
            ipv4: Some(address),
            ipv6: None,
        })
    }

    fn owns(&self, name: &str) -> bool {
        is_within(name, INTERNAL)
            || self
                .settings
                .domain
                .as_deref()
                .is_some_and(|domain| is_within(name, domain))
    }

    fn name_of(&self, address: IpAddr) -> Option<String> {
        if address == self.settings.gateway4() || address == self.settings.gateway6() {
            return Some(format!("{HOST}."));
        }
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = leases
            .iter()
            .find(|lease| address == lease.ipv4 || address == lease.ipv6)?;
        let name = plain_name(&lease.hostname);
        Some(match &self.settings.domain {
            Some(domain) if !name.contains('.') => format!("{name}.{domain}."),
            _ => format!("{name}."),
        })
    }

    fn owns_addresses(&self, net: &IpNet) -> bool {
        match net {
            IpNet::V4(net) => self.settings.ipv4.contains(net),
            IpNet::V6(net) => self.settings.ipv6.contains(net),
        }
    }
}

/// Whether `name` is `zone` or below it.
pub(crate) fn is_within(name: &str, zone: &str) -> bool {
    let rest = name.strip_suffix(zone);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use container_client::network::AllocateRequest;
    use container_resource::NetworkMode;

    use super::*;

    #[test]
    fn the_gateway_containers_and_the_hosts_loopback_have_names() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("networks/n")).unwrap();
        std::fs::create_dir_all(root.path().join("dns")).unwrap();
        std::fs::write(root.path().join("dns/host.example"), "203.0.113.113\n").unwrap();
        let settings = Settings::new(
            "n",
            NetworkMode::Nat,
            "10.0.0.0/24",
            "fd00::/64",
            Some("test"),
            root.path(),
        )
        .unwrap();
        let mut leases = Leases::open(&settings);
        let request = AllocateRequest {
            hostname: "web".to_owned(),
            ..AllocateRequest::default()
        };
        let lease = leases.allocate(&settings, 1, &request, |_| false).unwrap();
        let names = NetworkNames {
            leases: Arc::new(Mutex::new(leases)),
            local: Arc::new(LocalDomains::open(root.path())),
            settings,
        };
        let ipv4 = |name: &str| {
            names
                .find(name)
                .and_then(|found| found.ipv4)
                .map(|address| address.to_string())
        };
        assert_eq!(ipv4("host.container.internal").as_deref(), Some("10.0.0.1"));
        assert_eq!(ipv4("web.test").as_deref(), Some("10.0.0.2"));
        assert_eq!(ipv4("db.host.example").as_deref(), Some("203.0.113.113"));
        assert_eq!(ipv4("nothost.example"), None);
        assert!(names.owns("x.container.internal") && names.owns("test") && !names.owns("contest"));
        assert_eq!(names.name_of(lease.ipv6.into()).as_deref(), Some("web.test."));
        assert_eq!(
            names.name_of("fd00::1".parse().unwrap()).as_deref(),
            Some("host.container.internal.")
        );
        assert!(names.owns_addresses(&"10.0.0.9/32".parse().unwrap()));
        assert!(!names.owns_addresses(&"10.0.0.0/8".parse().unwrap()));
    }
}
