//! Leases: who has which address and which names.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use container_client::network::AllocateRequest;
use container_resource::Attachment;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::pool::Pool;
use crate::settings::Settings;

/// How many names of stopped containers are remembered at most.
const MEMORY: usize = 1024;

/// An address that somebody has.
#[derive(Debug, Clone)]
pub struct Lease {
    /// The connection it belongs to.
    pub session: u64,
    /// Its name as it was asked for.
    pub hostname: String,
    /// Further names.
    pub aliases: Vec<String>,
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its IPv6 address, which follows from the hardware address.
    pub ipv6: Ipv6Addr,
    /// Its hardware address.
    pub mac: [u8; 6],
    /// The MTU that was asked for, in bytes.
    pub mtu: Option<u32>,
}

impl Lease {
    /// The lease as others see it.
    pub fn attachment(&self, settings: &Settings) -> Attachment {
        Attachment {
            network: settings.id.clone(),
            hostname: self.hostname.clone(),
            ipv4_address: format!("{}/{}", self.ipv4, settings.ipv4.prefix_len()),
            ipv4_gateway: settings.gateway4().to_string(),
            ipv6_address: Some(format!("{}/{}", self.ipv6, settings.ipv6.prefix_len())),
            mac_address: Some(mac_text(self.mac)),
            mtu: self.mtu,
            variant: None,
        }
    }

    /// Whether it goes by the name `name`, which is in lower case and has no dot at its end.
    pub fn is_named(&self, name: &str, domain: Option<&str>) -> bool {
        let mut names = std::iter::once(&self.hostname).chain(&self.aliases);
        names.any(|own| {
            let own = plain_name(own);
            own == name
                || domain.is_some_and(|domain| without_domain(&own, domain) == without_domain(name, domain))
        })
    }
}

/// `name` as names are compared: in lower case, without a dot at its end.
pub fn plain_name(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn without_domain<'a>(name: &'a str, domain: &str) -> &'a str {
    let rest = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.'));
    rest.unwrap_or(name)
}

/// The name of the tap device of `address` in `settings`' network.
pub fn tap_name(settings: &Settings, address: Ipv4Addr) -> String {
    format!("tap{}", u32::from(address) - u32::from(settings.ipv4.network()))
}

/// All leases of a network, and the addresses that names had last.
#[derive(Debug)]
pub struct Leases {
    pool: Pool,
    current: Vec<Lease>,
    memory: Memory,
}

impl Leases {
    /// No leases, and what the network's directory says of earlier ones.
    pub fn open(settings: &Settings) -> Self {
        let memory = Memory::load(settings.directory().join("leases.json"));
        let used = memory.entries.iter().map(|entry| entry.address);
        Self {
            pool: Pool::new(settings.ipv4, used),
            current: Vec::new(),
            memory,
        }
    }

    /// Leases an address. `occupied` says which addresses have a tap device although nobody leases them: virtual machines
    /// whose helpers have not come back yet.
    ///
    /// # Errors
    /// There is none, or the one that was asked for is taken.
    pub fn allocate(
        &mut self,
        settings: &Settings,
        session: u64,
        request: &AllocateRequest,
        occupied: impl Fn(Ipv4Addr) -> bool,
    ) -> Result<Lease, Error> {
        let mac = match &request.mac_address {
            Some(text) => parse_mac(text).ok_or_else(|| Error::Mac(text.clone()))?,
            None => random_mac(),
        };
        let name = plain_name(&request.hostname);
        let ipv4 = match request.ipv4_address {
            Some(address) => {
                if !self.pool.is_assignable(address) {
                    return Err(Error::Foreign(address, settings.id.clone()));
                }
                if !self.pool.take(address) {
                    let owner = self.current.iter().find(|lease| lease.ipv4 == address);
                    let owner = owner.map_or_else(String::new, |lease| lease.hostname.clone());
                    return Err(Error::Taken(address, owner));
                }
                address
            }
            None => {
                let last = self.memory.address(&name);
                match last.filter(|&last| self.pool.is_assignable(last) && self.pool.take(last)) {
                    Some(last) => last,
                    None => {
                        let any = self.pool.take_any(|address| !occupied(address));
                        any.ok_or_else(|| Error::Full(settings.id.clone()))?
                    }
                }
            }
        };
        self.memory.remember(name, ipv4);
        let lease = Lease {
            session,
            hostname: request.hostname.clone(),
            aliases: request.aliases.clone(),
            ipv4,
            ipv6: eui64(settings.ipv6.network(), mac),
            mac,
            mtu: request.mtu,
        };
        self.current.push(lease.clone());
        Ok(lease)
    }

    /// Ends the lease of an address.
    pub fn release(&mut self, address: Ipv4Addr) {
        self.current.retain(|lease| lease.ipv4 != address);
        self.pool.release(address);
    }

    /// The lease with the name that `hostname` is, with or without `domain`.
    pub fn named(&self, hostname: &str, domain: Option<&str>) -> Option<&Lease> {
        let name = plain_name(hostname);
        self.current.iter().find(|lease| lease.is_named(&name, domain))
    }

    /// All leases.
    pub fn iter(&self) -> impl Iterator<Item = &Lease> {
        self.current.iter()
    }

    /// The lease of the very host name `hostname`.
    pub fn of(&self, hostname: &str) -> Option<&Lease> {
        let name = plain_name(hostname);
        self.current
            .iter()
            .find(|lease| plain_name(&lease.hostname) == name)
    }
}

/// The address each name had last, oldest first; at most one name per address.
#[derive(Debug)]
struct Memory {
    file: PathBuf,
    entries: Vec<Remembered>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Remembered {
    hostname: String,
    address: Ipv4Addr,
}

impl Memory {
    fn load(file: PathBuf) -> Self {
        let entries = fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            file,
            entries: entries.unwrap_or_default(),
        }
    }

    fn address(&self, name: &str) -> Option<Ipv4Addr> {
        let entry = self.entries.iter().find(|entry| entry.hostname == name);
        entry.map(|entry| entry.address)
    }

    fn remember(&mut self, hostname: String, address: Ipv4Addr) {
        let entry = Remembered { hostname, address };
        let before = self.entries.last() == Some(&entry);
        self.entries
            .retain(|old| old.hostname != entry.hostname && old.address != entry.address);
        self.entries.push(entry);
        let excess = self.entries.len().saturating_sub(MEMORY);
        self.entries.drain(..excess);
        if !before && let Err(error) = self.save() {
            tracing::warn!(%error, file = %self.file.display(), "failed to write down who had which address");
        }
    }

    fn save(&self) -> std::io::Result<()> {
        let directory = self.file.parent().unwrap_or(Path::new("/"));
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, &self.entries)?;
        file.flush()?;
        file.as_file().sync_data()?;
        file.persist(&self.file).map(drop).map_err(|error| error.error)
    }
}

/// The interface identifier that follows from a hardware address, below `prefix`.
fn eui64(prefix: Ipv6Addr, mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    let identifier = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Addr::from(u128::from(prefix) | u128::from(identifier))
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let octets = text.split([':', '-']).map(|octet| match octet.len() {
        2 if octet.bytes().all(|b| b.is_ascii_hexdigit()) => u8::from_str_radix(octet, 16).ok(),
        _ => None,
    });
    let bytes: Vec<u8> = octets.collect::<Option<_>>()?;
    // A group's address is no machine's.
    bytes.try_into().ok().filter(|mac: &[u8; 6]| mac[0] & 1 == 0)
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// A locally administered unicast address that begins with f2, f6, fa or fe, as Apple's do.
fn random_mac() -> [u8; 6] {
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..6]);
    bytes[0] = bytes[0] & 0x0c | 0xf2;
    bytes
}

#[cfg(test)]
mod tests {
    use container_resource::NetworkMode;

    use super::*;

    fn settings(root: &Path) -> Settings {
        let settings = Settings::new(
            "n",
            NetworkMode::Nat,
            "10.0.0.0/29",
            "fd00::/64",
            Some("test"),
            root,
        )
        .unwrap();
        fs::create_dir_all(settings.directory()).unwrap();
        settings
    }

    fn ask(hostname: &str) -> AllocateRequest {
        AllocateRequest {
            hostname: hostname.to_owned(),
            ..AllocateRequest::default()
        }
    }

    #[test]
    fn a_name_gets_its_address_back_also_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        let mut leases = Leases::open(&settings);
        let get =
            |leases: &mut Leases, name| leases.allocate(&settings, 1, &ask(name), |_| false).unwrap().ipv4;
        let (a, b) = (get(&mut leases, "a"), get(&mut leases, "b"));
        leases.release(a);
        assert_ne!(get(&mut leases, "c"), a);
        assert_eq!(get(&mut leases, "a"), a);

        let mut leases = Leases::open(&settings);
        assert_eq!(get(&mut leases, "d").octets()[3], 5);
        assert_eq!(get(&mut leases, "b"), b);
        // The name is of the address' former owner.
        let fixed = AllocateRequest {
            ipv4_address: Some(a),
            ..ask("e")
        };
        assert_eq!(leases.allocate(&settings, 1, &fixed, |_| false).unwrap().ipv4, a);
        assert_ne!(get(&mut leases, "a"), a);
    }

    #[test]
    fn refusals_say_why() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        let mut leases = Leases::open(&settings);
        let mut fixed = |name: &str, address: &str| {
            let request = AllocateRequest {
                ipv4_address: address.parse().ok(),
                ..ask(name)
            };
            leases
                .allocate(&settings, 1, &request, |_| false)
                .map_err(|error| error.to_string())
        };
        assert!(fixed("a", "10.0.0.6").is_ok());
        assert_eq!(
            fixed("b", "10.0.0.6").unwrap_err(),
            "address 10.0.0.6 is already in use by a"
        );
        assert_eq!(
            fixed("b", "10.0.0.1").unwrap_err(),
            "address 10.0.0.1 is not one that a container on network n can have"
        );
        for name in ["p", "q", "r", "s"] {
            leases.allocate(&settings, 1, &ask(name), |_| false).unwrap();
        }
        let full = leases.allocate(&settings, 1, &ask("t"), |_| false).unwrap_err();
        assert_eq!(full.to_string(), "network n has no free address");
    }

    #[test]
    fn names_are_found_with_and_without_the_domain() {
        let root = tempfile::tempdir().unwrap();
        let settings = settings(root.path());
        let mut leases = Leases::open(&settings);
        let request = AllocateRequest {
            aliases: vec!["db".to_owned()],
            ..ask("web.test.")
        };
        leases.allocate(&settings, 1, &request, |_| false).unwrap();
        for name in ["web", "WEB.test", "web.test.", "db", "db.test"] {
            assert!(leases.named(name, Some("test")).is_some(), "{name}");
        }
        for name in ["", "test", "webtest", "web.other", "x.web.test"] {
            assert!(leases.named(name, Some("test")).is_none(), "{name}");
        }
        assert!(leases.named("web", None).is_none());
        assert!(leases.of("web.test").is_some() && leases.of("db").is_none());
    }

    #[test]
    fn hardware_addresses() {
        assert_eq!(
            parse_mac("02:42-AC:11:00:02").map(mac_text).as_deref(),
            Some("02:42:ac:11:00:02")
        );
        for bad in [
            "02:42",
            "01:00:5e:00:00:01",
            "2:42:ac:11:00:02",
            "+2:42:ac:11:00:02",
        ] {
            assert!(parse_mac(bad).is_none(), "{bad}");
        }
        assert!([0xf2, 0xf6, 0xfa, 0xfe].contains(&random_mac()[0]));
        let address = eui64("fd00::".parse().unwrap(), [0xf2, 1, 2, 3, 4, 5]);
        assert_eq!(address.to_string(), "fd00::f001:2ff:fe03:405");
    }
}
