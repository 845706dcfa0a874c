//! Files of macOS's resolver, one per domain: whom it asks for names in it (behaviour reference, 16). `container system dns`
//! writes them, and the API server answers on their ports.

use std::net::Ipv4Addr;

/// The directory of the files.
pub const DIRECTORY: &str = "/etc/resolver";
/// The UDP port on the loopback interface where the API server answers for containers.
pub const CONTAINERS_PORT: u16 = 2053;
/// The one where it answers for domains that stand for one address.
pub const ADDRESSES_PORT: u16 = 1053;
/// What the names of our files begin with.
const PREFIX: &str = "containerization.";
/// What comes before a domain's address in its options.
const ADDRESS: &str = "localhost:";

/// The name of a domain's file.
pub fn file_name(domain: &str) -> String {
    format!("{PREFIX}{domain}")
}

/// The domain of a file; `None` for files that are not ours.
pub fn domain(file_name: &str) -> Option<&str> {
    file_name.strip_prefix(PREFIX).filter(|domain| !domain.is_empty())
}

/// What is in a domain's file. With an address every name in the domain stands for it.
pub fn content(domain: &str, address: Option<Ipv4Addr>) -> String {
    let port = if address.is_some() {
        ADDRESSES_PORT
    } else {
        CONTAINERS_PORT
    };
    let mut text = format!("domain {domain}\nsearch {domain}\nnameserver 127.0.0.1\nport {port}\n");
    if let Some(address) = address {
        text.push_str(&format!("options {ADDRESS}{address}\n"));
    }
    text
}

/// The address that is in a domain's file.
pub fn address(content: &str) -> Option<Ipv4Addr> {
    let options = content.lines().filter_map(|line| line.strip_prefix("options "));
    let mut addresses = options.filter_map(|options| options.trim().strip_prefix(ADDRESS)?.parse().ok());
    addresses.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_whom_to_ask() {
        let plain = content("test", None);
        assert_eq!(
            plain,
            "domain test\nsearch test\nnameserver 127.0.0.1\nport 2053\n"
        );
        assert_eq!(address(&plain), None);
        let host = Ipv4Addr::new(203, 0, 113, 9);
        let with_address = content("host.test", Some(host));
        assert_eq!(
            with_address,
            "domain host.test\nsearch host.test\nnameserver 127.0.0.1\nport 1053\noptions localhost:203.0.113.9\n"
        );
        assert_eq!(address(&with_address), Some(host));
        assert_eq!(address("options localhost:x\n"), None);
    }

    #[test]
    fn names_of_files_lead_back_to_domains() {
        assert_eq!(domain(&file_name("a.test")), Some("a.test"));
        assert_eq!(domain("test"), None);
        assert_eq!(domain("containerization."), None);
    }
}
