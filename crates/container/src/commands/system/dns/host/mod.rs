//! Domains of this Mac: the files of its resolver and of its packet filter, and the programs that read them.

mod packet_filter;

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use container_client::resolver;

use super::domain::is_domain;
use crate::error::Failure;

/// Runs a program and tells whether it succeeded.
type Run = fn(&Path, &str, &[&str]) -> io::Result<bool>;

/// The files and programs.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// `/etc`
    etc: PathBuf,
    run: Run,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            etc: "/etc".into(),
            run: |_, program, arguments| {
                let output = std::process::Command::new(program).args(arguments).output()?;
                Ok(output.status.success())
            },
        }
    }
}

impl Host {
    /// Has names in `domain` looked up here, or lead to `localhost`, an address that leads here from now on.
    ///
    /// # Errors
    /// The domain or the address is none, the domain is there already, or this user may not do that.
    pub(super) fn create(&self, domain: &str, localhost: Option<&str>) -> Result<(), Failure> {
        if !is_domain(domain) {
            return Err(Failure::error(format!("invalid domain name: {domain}")));
        }
        let address = localhost.map(|text| {
            text.parse::<Ipv4Addr>()
                .map_err(|_| Failure::error(format!("invalid IPv4 address: {text}")))
        });
        let address = address.transpose()?;
        let path = self.file(domain);
        if path.exists() {
            return Err(Failure::error(format!("domain {domain} already exists")));
        }
        let create = || -> io::Result<()> {
            fs::create_dir_all(self.etc.join("resolver"))?;
            write(&path, &resolver::content(domain, address))?;
            let Some(address) = address else {
                return Ok(());
            };
            let rules = packet_filter::with_rule(&read(&self.rules())?, address, domain);
            self.filter(&rules).inspect_err(|_| {
                let _ = fs::remove_file(&path);
            })
        };
        create().map_err(|_| Failure::error("cannot create domain (try sudo?)"))
    }

    /// Undoes [`create`](Self::create).
    ///
    /// # Errors
    /// There is no such domain, or this user may not do that.
    pub(super) fn delete(&self, domain: &str) -> Result<(), Failure> {
        let delete = || -> io::Result<()> {
            if !is_domain(domain) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            fs::remove_file(self.file(domain))?;
            let rules = read(&self.rules())?;
            let others = packet_filter::without_rule(&rules, domain);
            if others == rules {
                return Ok(());
            }
            self.filter(&others)
        };
        delete().map_err(|_| Failure::error("cannot delete domain (try sudo?)"))
    }

    /// The domains, in order.
    pub(super) fn domains(&self) -> Vec<String> {
        let entries = fs::read_dir(self.etc.join("resolver"))
            .into_iter()
            .flatten()
            .flatten();
        let mut domains: Vec<String> = entries
            .filter_map(|entry| resolver::domain(entry.file_name().to_str()?).map(str::to_owned))
            .filter(|domain| is_domain(domain))
            .collect();
        domains.sort();
        domains
    }

    /// Has the system's resolver read its files again.
    ///
    /// # Errors
    /// It cannot be told.
    pub(super) fn reload(&self) -> Result<(), Failure> {
        match (self.run)(&self.etc, "/usr/bin/killall", &["-HUP", "mDNSResponder"]) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Failure::error(
                "mDNSResponder restart failed, run `sudo killall -HUP mDNSResponder` to deactivate domain",
            )),
        }
    }

    fn file(&self, domain: &str) -> PathBuf {
        self.etc.join("resolver").join(resolver::file_name(domain))
    }

    fn rules(&self) -> PathBuf {
        self.etc.join("pf.anchors").join(packet_filter::ANCHOR)
    }

    /// Replaces our rules, and puts everything back as it was when pf does not take them.
    fn filter(&self, rules: &str) -> io::Result<()> {
        let (anchor, configuration) = (self.rules(), self.etc.join("pf.conf"));
        let before = (read(&anchor)?, read(&configuration)?);
        let text = if packet_filter::is_empty(rules) {
            packet_filter::without_anchor(&before.1)
        } else {
            packet_filter::with_anchor(&before.1, &anchor.to_string_lossy())
        };
        let load = || -> io::Result<()> {
            fs::create_dir_all(self.etc.join("pf.anchors"))?;
            write(&anchor, rules)?;
            write(&configuration, &text)?;
            let path = configuration.to_string_lossy();
            for arguments in [["-n", "-f", &path], ["-q", "-f", &path]] {
                if !(self.run)(&self.etc, "/sbin/pfctl", &arguments)? {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
            if packet_filter::is_empty(rules) {
                return fs::remove_file(&anchor);
            }
            // It fails when the filter is on already.
            (self.run)(&self.etc, "/sbin/pfctl", &["-q", "-e"]).map(drop)
        };
        load().inspect_err(|_| {
            let _ = write(&anchor, &before.0).and(write(&configuration, &before.1));
        })
    }
}

/// What is in a file; nothing when there is none.
fn read(path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text,
    }
}

/// Replaces a file of the system as a whole.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("container-new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = "scrub-anchor \"com.apple/*\"\nanchor \"com.apple/*\"\n";

    fn host(run: Run) -> (tempfile::TempDir, Host) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("pf.conf"), CONFIGURATION).unwrap();
        let etc = directory.path().to_path_buf();
        (directory, Host { etc, run })
    }

    /// Writes calls down, and succeeds.
    fn recorded(etc: &Path, program: &str, arguments: &[&str]) -> io::Result<bool> {
        let calls = etc.join("calls");
        let text = read(&calls)? + &format!("{program} {}\n", arguments.join(" "));
        fs::write(calls, text)?;
        Ok(true)
    }

    #[test]
    fn domains_come_and_go() {
        let (directory, host) = host(recorded);
        assert!(host.domains().is_empty());
        host.create("test", None).unwrap();
        host.create("a.test", Some("203.0.113.9")).unwrap();
        assert_eq!(host.domains(), ["a.test", "test"]);
        assert_eq!(
            host.create("test", None),
            Err(Failure::error("domain test already exists"))
        );
        let anchor = directory.path().join("pf.anchors/dev.container");
        assert!(
            fs::read_to_string(&anchor)
                .unwrap()
                .contains("to 203.0.113.9 -> 127.0.0.1")
        );
        let configuration = || fs::read_to_string(directory.path().join("pf.conf")).unwrap();
        assert!(configuration().contains("rdr-anchor \"dev.container\""));
        host.reload().unwrap();
        let calls = read(&directory.path().join("calls")).unwrap();
        let programs: Vec<&str> = calls
            .lines()
            .map(|call| call.split(' ').nth(1).unwrap())
            .collect();
        assert_eq!(programs, ["-n", "-q", "-q", "-HUP"]);

        host.delete("a.test").unwrap();
        host.delete("test").unwrap();
        assert!(host.domains().is_empty() && !anchor.exists());
        assert_eq!(configuration(), CONFIGURATION);
        let error = Failure::error("cannot delete domain (try sudo?)");
        assert_eq!(host.delete("test"), Err(error.clone()));
        assert_eq!(host.delete("../pf.conf"), Err(error));
    }

    #[test]
    fn what_pf_refuses_leaves_nothing() {
        let (directory, host) = host(|_, _, _| Ok(false));
        let error = Failure::error("cannot create domain (try sudo?)");
        assert_eq!(host.create("test", Some("203.0.113.9")), Err(error));
        assert!(host.domains().is_empty());
        assert_eq!(
            fs::read_to_string(directory.path().join("pf.conf")).unwrap(),
            CONFIGURATION
        );
        assert!(host.reload().is_err());
    }

    #[test]
    fn what_is_wrong_is_refused_first() {
        let (_directory, host) = host(recorded);
        assert_eq!(
            host.create("a/b", None),
            Err(Failure::error("invalid domain name: a/b"))
        );
        assert_eq!(
            host.create("test", Some("::1")),
            Err(Failure::error("invalid IPv4 address: ::1"))
        );
        assert!(host.domains().is_empty());
    }
}
