//! What a network is asked to be, and the names that follow from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use container_client::network::network_key;
use container_client::services;
use container_ipc::{Endpoint, runtime_dir};
use container_resource::{NetworkMode, NetworkStatus};
use ipnet::{Ipv4Net, Ipv6Net};

use crate::error::Error;

/// What a network is asked to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its name.
    pub id: String,
    /// Where it leads.
    pub mode: NetworkMode,
    /// Its IPv4 subnet.
    pub ipv4: Ipv4Net,
    /// Its IPv6 subnet, of at most 64 bits.
    pub ipv6: Ipv6Net,
    /// The domain under which its containers are known too.
    pub domain: Option<String>,
    /// The application root.
    pub app_root: PathBuf,
}

impl Settings {
    /// The network `id` of the installation at `app_root`.
    ///
    /// # Errors
    /// A subnet is none, or one too small for a container.
    pub fn new(
        id: &str,
        mode: NetworkMode,
        ipv4: &str,
        ipv6: &str,
        domain: Option<&str>,
        app_root: &Path,
    ) -> Result<Self, Error> {
        let bad = |text: &str| Error::Subnet(text.to_owned());
        let ipv4: Ipv4Net = ipv4.parse().map_err(|_| bad(ipv4))?;
        let ipv6: Ipv6Net = ipv6.parse().map_err(|_| bad(ipv6))?;
        // Network, gateway, a container, and the two that the pool keeps back.
        if ipv4.prefix_len() > 29 {
            return Err(bad(&format!("{ipv4} (at most /29)")));
        }
        if ipv6.prefix_len() > 64 {
            return Err(bad(&format!("{ipv6} (at most /64)")));
        }
        let domain = domain.map(|domain| domain.trim_matches('.').to_ascii_lowercase());
        Ok(Self {
            id: id.to_owned(),
            mode,
            ipv4: ipv4.trunc(),
            ipv6: ipv6.trunc(),
            domain: domain.filter(|domain| !domain.is_empty()),
            app_root: app_root.to_owned(),
        })
    }

    /// What the network is.
    pub fn status(&self) -> NetworkStatus {
        NetworkStatus {
            ipv4_subnet: self.ipv4.to_string(),
            ipv4_gateway: self.gateway4().to_string(),
            ipv6_subnet: Some(self.ipv6.to_string()),
        }
    }

    /// The gateway: the first address after the subnet's own.
    pub fn gateway4(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.ipv4.network()) + 1)
    }

    /// The gateway's IPv6 address.
    pub fn gateway6(&self) -> Ipv6Addr {
        Ipv6Addr::from(u128::from(self.ipv6.network()) + 1)
    }

    /// The gateway's addresses with the lengths of their prefixes.
    pub fn gateways(&self) -> [(IpAddr, u8); 2] {
        [
            (self.gateway4().into(), self.ipv4.prefix_len()),
            (self.gateway6().into(), self.ipv6.prefix_len()),
        ]
    }

    /// The network's own directory.
    pub fn directory(&self) -> PathBuf {
        self.app_root.join("networks").join(&self.id)
    }

    /// Where the process listens that keeps the namespace.
    pub fn holder(&self) -> Endpoint {
        Self::holder_endpoint(&self.app_root, &self.id)
    }

    /// Where the process listens that keeps the namespace of the network `id`.
    pub fn holder_endpoint(app_root: &Path, id: &str) -> Endpoint {
        Endpoint::new(&runtime_dir(app_root), &services::network_holder(id))
    }

    /// Eight digits that no other network on this host has.
    pub fn key(&self) -> String {
        network_key(&self.app_root, &self.id)
    }

    /// The bridge's hardware address, the same whatever is attached.
    pub fn bridge_mac(&self) -> [u8; 6] {
        let key = u32::from_str_radix(&self.key(), 16).unwrap_or_default();
        let [a, b, c, d] = key.to_be_bytes();
        [0x02, 0xc0, a, b, c, d]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(ipv4: &str, ipv6: &str) -> Result<Settings, Error> {
        Settings::new("n", NetworkMode::Nat, ipv4, ipv6, Some("Test."), Path::new("/a"))
    }

    #[test]
    fn gateways_are_the_first_addresses() {
        let settings = settings("192.168.64.7/24", "fd00:1::5/64").unwrap();
        assert_eq!(settings.status().ipv4_subnet, "192.168.64.0/24");
        assert_eq!(settings.status().ipv4_gateway, "192.168.64.1");
        assert_eq!(settings.gateway6().to_string(), "fd00:1::1");
        assert_eq!(settings.domain.as_deref(), Some("test"));
        assert_eq!(settings.key().len(), 8);
    }

    #[test]
    fn subnets_must_have_room() {
        for (ipv4, ipv6) in [
            ("10.0.0.0/30", "fd00::/64"),
            ("10.0.0.0/24", "fd00::/80"),
            ("x", "fd00::/64"),
        ] {
            assert!(settings(ipv4, ipv6).is_err(), "{ipv4} {ipv6}");
        }
    }
}
