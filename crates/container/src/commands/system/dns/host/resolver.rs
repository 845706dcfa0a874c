//! Files of `/etc/resolver`, one per domain: whom macOS asks for names in it (behaviour.md 16).

use std::net::Ipv4Addr;

use super::super::domain::is_domain;

/// What the names of our files begin with.
const PREFIX: &str = "containerization.";
/// Where the API server answers for containers.
const CONTAINERS: u16 = 2053;
/// Where it answers for domains that stand for one address.
const ADDRESSES: u16 = 1053;

/// The name of a domain's file.
pub(super) fn file_name(domain: &str) -> String {
    format!("{PREFIX}{domain}")
}

/// The domain of a file; `None` for files that are not ours.
pub(super) fn domain(file_name: &str) -> Option<&str> {
    file_name.strip_prefix(PREFIX).filter(|domain| is_domain(domain))
}

/// What is in a domain's file. With an address every name in the domain stands for it.
pub(super) fn content(domain: &str, address: Option<Ipv4Addr>) -> String {
    let port = if address.is_some() { ADDRESSES } else { CONTAINERS };
    let mut text = format!("domain {domain}\nsearch {domain}\nnameserver 127.0.0.1\nport {port}\n");
    if let Some(address) = address {
        text.push_str(&format!("options localhost:{address}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_whom_to_ask() {
        assert_eq!(
            content("test", None),
            "domain test\nsearch test\nnameserver 127.0.0.1\nport 2053\n"
        );
        assert_eq!(
            content("host.test", Some(Ipv4Addr::new(203, 0, 113, 9))),
            "domain host.test\nsearch host.test\nnameserver 127.0.0.1\nport 1053\noptions localhost:203.0.113.9\n"
        );
    }

    #[test]
    fn names_of_files_lead_back_to_domains() {
        assert_eq!(domain(&file_name("a.test")), Some("a.test"));
        for other in [
            "test",
            "containerization.",
            "containerization..",
            "containerization.a b",
        ] {
            assert_eq!(domain(other), None, "{other}");
        }
    }
}
