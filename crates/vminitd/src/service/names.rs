//! ConfigureDns, ConfigureHosts: the files that names are looked up with.

use std::fmt::Write;
use std::path::Path;

use container_sandbox::proto::{
    ConfigureDnsRequest, ConfigureDnsResponse, ConfigureHostsRequest, ConfigureHostsResponse,
};

use crate::error::{Context, Error, Result};
use crate::rooted::Root;

pub(super) fn configure_dns(request: &ConfigureDnsRequest) -> Result<ConfigureDnsResponse> {
    write(&request.location, "etc/resolv.conf", &resolv_conf(request))?;
    Ok(ConfigureDnsResponse {})
}

pub(super) fn configure_hosts(request: &ConfigureHostsRequest) -> Result<ConfigureHostsResponse> {
    write(&request.location, "etc/hosts", &hosts(request))?;
    Ok(ConfigureHostsResponse {})
}

/// Writes a file of a root file system. A symbolic link in its place is replaced: where it leads need not
/// be there, or not yet.
fn write(location: &str, path: &str, text: &str) -> Result<()> {
    if text.lines().any(|line| line.contains('\0')) {
        return Err(Error::Invalid(format!("invalid text for {path}")));
    }
    Root::open(Path::new(location))
        .and_then(|root| root.replace(Path::new(path), text.as_bytes()))
        .context(|| format!("failed to write {location}/{path}"))
}

fn resolv_conf(request: &ConfigureDnsRequest) -> String {
    let mut text = String::new();
    for nameserver in &request.nameservers {
        let _ = writeln!(text, "nameserver {nameserver}");
    }
    if let Some(domain) = request.domain.as_deref().filter(|domain| !domain.is_empty()) {
        let _ = writeln!(text, "domain {domain}");
    }
    for (keyword, words) in [("search", &request.search_domains), ("options", &request.options)] {
        if !words.is_empty() {
            let _ = writeln!(text, "{keyword} {}", words.join(" "));
        }
    }
    text
}

fn hosts(request: &ConfigureHostsRequest) -> String {
    let mut text = String::new();
    if let Some(comment) = &request.comment {
        let _ = writeln!(text, "# {comment}");
    }
    for entry in &request.entries {
        let _ = write!(text, "{} {}", entry.ip_address, entry.hostnames.join(" "));
        if let Some(comment) = &entry.comment {
            let _ = write!(text, " # {comment}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use container_sandbox::proto::configure_hosts_request::HostsEntry;

    use super::*;

    #[test]
    fn resolver_configuration() {
        let request = ConfigureDnsRequest {
            nameservers: vec!["192.168.64.1".into(), "1.1.1.1".into()],
            domain: Some("test".into()),
            search_domains: vec!["a".into(), "b".into()],
            options: vec!["ndots:2".into()],
            ..ConfigureDnsRequest::default()
        };
        let text = "nameserver 192.168.64.1\nnameserver 1.1.1.1\ndomain test\nsearch a b\noptions ndots:2\n";
        assert_eq!(resolv_conf(&request), text);
        assert_eq!(resolv_conf(&ConfigureDnsRequest::default()), "");
    }

    #[test]
    fn hosts_file() {
        let entry = |ip: &str, names: &[&str], comment: Option<&str>| HostsEntry {
            ip_address: ip.into(),
            hostnames: names.iter().map(|name| (*name).to_owned()).collect(),
            comment: comment.map(str::to_owned),
        };
        let request = ConfigureHostsRequest {
            entries: vec![
                entry("127.0.0.1", &["localhost"], None),
                entry("10.0.0.2", &["a", "a.test"], Some("me")),
            ],
            comment: Some("made at start".into()),
            ..ConfigureHostsRequest::default()
        };
        assert_eq!(
            hosts(&request),
            "# made at start\n127.0.0.1 localhost\n10.0.0.2 a a.test # me\n"
        );
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        std::os::unix::fs::symlink(
            "/run/systemd/resolve/stub",
            directory.path().join("etc/resolv.conf"),
        )
        .unwrap();
        write(directory.path().to_str().unwrap(), "etc/resolv.conf", "x\n").unwrap();
        assert!(
            std::fs::symlink_metadata(directory.path().join("etc/resolv.conf"))
                .unwrap()
                .is_file()
        );
    }
}
