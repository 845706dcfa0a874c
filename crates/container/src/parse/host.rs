//! `--hostname` and `--add-host`.

use std::net::IpAddr;

use container_ipc::Error;
use container_resource::ExtraHost;

use super::invalid;

/// A host name: letters, digits, dots and hyphens, at most 64 characters.
///
/// # Errors
/// The text is something else.
pub fn name(text: &str) -> Result<String, Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let inner = |c: char| c.is_ascii_alphanumeric();
    let ends = text.starts_with(inner) && text.ends_with(inner);
    if text.len() <= 64 && ends && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        invalid(format!("invalid host name '{text}'"))
    }
}

/// `<name>:<ip>`, or `<name>:host-gateway` for the gateway of the container's network. Brackets around the address are
/// fine.
///
/// # Errors
/// The name or the address is none.
pub fn extra(text: &str) -> Result<ExtraHost, Error> {
    let Some((hostname, address)) = text.split_once(':') else {
        return invalid(format!("invalid host '{text}': expected <name>:<ip>"));
    };
    let bare = address
        .strip_prefix('[')
        .and_then(|address| address.strip_suffix(']'))
        .unwrap_or(address);
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) if bare == ExtraHost::GATEWAY => bare.to_owned(),
        Err(_) => return invalid(format!("invalid address '{address}' of host {hostname}")),
    };
    Ok(ExtraHost {
        hostname: name(hostname)?,
        address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["web", "a", "db-1.example.org", "UPPER"] {
            assert!(name(good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in ["", "-a", "a-", ".a", "a b", "ä", "a/b", "a\nb", &long] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn extra_hosts() {
        let pair = |text| extra(text).map(|host| (host.hostname, host.address)).ok();
        let expected = |name: &str, address: &str| Some((name.to_owned(), address.to_owned()));
        assert_eq!(pair("db:192.0.2.1"), expected("db", "192.0.2.1"));
        assert_eq!(pair("db:2001:db8::1"), expected("db", "2001:db8::1"));
        assert_eq!(pair("db:[::1]"), expected("db", "::1"));
        assert_eq!(pair("host:host-gateway"), expected("host", "host-gateway"));
        for bad in ["db", "db:", "db:one", ":192.0.2.1", "db:192.0.2.1:1"] {
            assert_eq!(pair(bad), None, "{bad}");
        }
    }
}
