//! The name servers that the host uses at the moment.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

const PORT: u16 = 53;

/// The name servers of a `resolv.conf`, read again whenever the file changes.
#[derive(Debug)]
pub struct Resolvers {
    file: PathBuf,
    /// Never asked: this server's own addresses.
    excluded: Vec<IpAddr>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// When the file was changed last, and its length.
    version: Option<(SystemTime, u64)>,
    servers: Vec<SocketAddr>,
}

impl Resolvers {
    /// Those of `file`, without those in `excluded`.
    pub fn new(file: impl Into<PathBuf>, excluded: Vec<IpAddr>) -> Self {
        Self {
            file: file.into(),
            excluded,
            known: Mutex::default(),
        }
    }

    /// Nobody: a question that is for others fails.
    pub fn none() -> Self {
        Self::new(PathBuf::new(), Vec::new())
    }

    /// The name servers of this moment, in the order in which they are to be asked.
    pub fn current(&self) -> Vec<SocketAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let version = std::fs::metadata(&self.file)
            .and_then(|data| Ok((data.modified()?, data.len())))
            .ok();
        if version.is_none() || known.version != version {
            let text = std::fs::read_to_string(&self.file).unwrap_or_default();
            let mut servers = parse_resolv_conf(&text);
            servers.retain(|server| !self.excluded.contains(&server.ip()));
            *known = Known { version, servers };
        }
        known.servers.clone()
    }
}

/// The name servers of a `resolv.conf`, as resolv.conf(5) has it: at most three.
pub fn parse_resolv_conf(text: &str) -> Vec<SocketAddr> {
    let servers = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    servers.filter_map(server).take(3).collect()
}

/// An address, of an IPv6 link possibly with its interface's number: `fe80::1%2`, or name: `fe80::1%eth0`.
fn server(text: &str) -> Option<SocketAddr> {
    let Some((address, zone)) = text.split_once('%') else {
        return Some(SocketAddr::new(text.parse().ok()?, PORT));
    };
    let address: Ipv6Addr = address.parse().ok()?;
    let index = zone.parse().ok().or_else(|| {
        let index = std::fs::read_to_string(format!("/sys/class/net/{}/ifindex", zone.replace('/', "")));
        index.ok()?.trim().parse().ok()
    })?;
    Some(SocketAddrV6::new(address, PORT, 0, index).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_those_of_the_file() {
        let text = "# nameserver 9.9.9.9\nsearch a b\nnameserver 192.0.2.1 \n nameserver\tfd00::1\nnameserver x\n\
                    nameserver fe80::1%7\nnameserver 192.0.2.4\n";
        let servers: Vec<String> = parse_resolv_conf(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[fd00::1]:53", "[fe80::1%7]:53"]);
        assert!(parse_resolv_conf("").is_empty());
    }

    #[test]
    fn changes_are_followed_and_own_addresses_left_out() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("resolv.conf");
        let resolvers = Resolvers::new(&file, vec!["10.0.0.1".parse().unwrap()]);
        assert!(resolvers.current().is_empty());
        std::fs::write(&file, "nameserver 192.0.2.1\nnameserver 10.0.0.1\n").unwrap();
        assert_eq!(resolvers.current(), ["192.0.2.1:53".parse().unwrap()]);
        std::fs::write(&file, "nameserver 192.0.2.22\n").unwrap();
        assert_eq!(resolvers.current(), ["192.0.2.22:53".parse().unwrap()]);
        std::fs::remove_file(&file).unwrap();
        assert!(resolvers.current().is_empty());
    }
}
