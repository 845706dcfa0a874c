//! Domains that stand for one address, for the containers of this user on Linux.
//!
//! Each is a file in the application root with that address. The name servers of networks answer from these files, and
//! the networks lead the addresses to the host.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::domain::is_domain;
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

/// The directory below the application root.
const DIRECTORY: &str = "dns";

pub(super) fn create(domain: &str, localhost: Option<&str>) -> Outcome {
    let domains = Domains::of(&Services::from_environment()?.roots.app);
    domains.create(domain, localhost)?;
    output::print_line(domain);
    Ok(0)
}

pub(super) fn delete(domain: &str) -> Outcome {
    let domains = Domains::of(&Services::from_environment()?.roots.app);
    domains.delete(domain)?;
    output::print_line(domain);
    Ok(0)
}

pub(super) fn list() -> Result<Vec<String>, Failure> {
    Ok(Domains::of(&Services::from_environment()?.roots.app).all())
}

/// The files.
struct Domains(PathBuf);

impl Domains {
    fn of(app_root: &Path) -> Self {
        Self(app_root.join(DIRECTORY))
    }

    fn create(&self, domain: &str, localhost: Option<&str>) -> Result<(), Failure> {
        let file = self.file(domain)?;
        let Some(text) = localhost else {
            return Err(Failure::error(format!(
                "the resolver of this host is not changed on Linux: for names of containers in {domain}, set domain = \
                 \"{domain}\" in the section [dns] of config.toml; for a name of this host in containers, give the \
                 address that it is to have with --localhost"
            )));
        };
        let invalid = || Failure::error(format!("invalid IPv4 address: {text}"));
        let address: Ipv4Addr = text.parse().map_err(|_| invalid())?;
        // Packets to these never leave the container, or go to many.
        if address.is_loopback()
            || address.is_multicast()
            || address.is_unspecified()
            || address.is_broadcast()
        {
            return Err(invalid());
        }
        match self.write(&file, address) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                Err(Failure::error(format!("domain {domain} already exists")))
            }
            Err(error) => Err(Failure::error(format!("cannot create domain: {error}"))),
            Ok(()) => Ok(()),
        }
    }

    /// The file appears with its content, and never in place of another one.
    fn write(&self, file: &Path, address: Ipv4Addr) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let mut new = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.0)?;
        writeln!(new, "{address}")?;
        new.as_file().sync_all()?;
        new.persist_noclobber(file).map_err(|error| error.error)?;
        Ok(())
    }

    fn delete(&self, domain: &str) -> Result<(), Failure> {
        let removed = fs::remove_file(self.file(domain)?);
        removed.map_err(|error| {
            Failure::error(match error.kind() {
                ErrorKind::NotFound => format!("cannot delete domain: there is no domain {domain}"),
                _ => format!("cannot delete domain: {error}"),
            })
        })
    }

    /// The domains, in order.
    fn all(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut domains: Vec<String> = names.filter(|name| is_domain(name)).collect();
        domains.sort();
        domains
    }

    fn file(&self, domain: &str) -> Result<PathBuf, Failure> {
        // Names are the same in capitals.
        let name = domain.to_lowercase();
        if !is_domain(&name) {
            return Err(Failure::error(format!("invalid domain name: {domain}")));
        }
        Ok(self.0.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_files_with_an_address() {
        let root = tempfile::tempdir().unwrap();
        let domains = Domains::of(root.path());
        assert_eq!(domains.all(), Vec::<String>::new());
        let create = |domain: &str, address: &str| domains.create(domain, Some(address));
        assert_eq!(create("Host.test", "203.0.113.9"), Ok(()));
        assert_eq!(create("a.test", "203.0.113.10"), Ok(()));
        let content = fs::read_to_string(root.path().join("dns/host.test")).unwrap();
        assert_eq!(content, "203.0.113.9\n");
        assert_eq!(domains.all(), ["a.test", "host.test"]);
        for (domain, address, text) in [
            ("host.test", "203.0.113.11", "domain host.test already exists"),
            ("../x", "203.0.113.11", "invalid domain name: ../x"),
            ("b.test", "203.0.113", "invalid IPv4 address: 203.0.113"),
            ("b.test", "127.0.0.1", "invalid IPv4 address: 127.0.0.1"),
        ] {
            assert_eq!(create(domain, address), Err(Failure::error(text)));
        }
        assert!(domains.create("b.test", None).is_err());
        assert_eq!(domains.delete("host.test"), Ok(()));
        assert!(domains.delete("host.test").is_err());
        assert_eq!(domains.all(), ["a.test"]);
    }
}
