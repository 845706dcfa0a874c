//! Which protocol a registry is spoken to with (behaviour reference, 19.5).

use std::net::IpAddr;
use std::str::FromStr;

/// The value of `--scheme`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// http for this machine, its own networks and containers, https for everyone else.
    #[default]
    Auto,
    /// http.
    Http,
    /// https.
    Https,
}

/// A word that is not a scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsupportedScheme(pub String);

impl std::fmt::Display for UnsupportedScheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unsupported scheme {}", self.0)
    }
}

impl std::error::Error for UnsupportedScheme {}

impl FromStr for Scheme {
    type Err = UnsupportedScheme;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err(UnsupportedScheme(text.to_owned())),
        }
    }
}

impl Scheme {
    /// Whether `host`, with or without a port, is spoken to over http. `dns_domain` is the domain that containers
    /// have names in.
    ///
    /// Unlike in Apple's tool the port plays no part: `localhost:5000` is as local as `localhost`.
    pub fn is_http(self, host: &str, dns_domain: Option<&str>) -> bool {
        match self {
            Self::Http => true,
            Self::Https => false,
            Self::Auto => is_internal(without_port(host), dns_domain),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None => host.split(':').next().unwrap_or(host),
    }
}

fn is_internal(name: &str, dns_domain: Option<&str>) -> bool {
    match name.parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => {
            name == "localhost"
                || dns_domain
                    .and_then(|domain| name.strip_suffix(domain))
                    .is_some_and(|prefix| prefix.ends_with('.'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_tells_inside_from_outside() {
        let http = |host| Scheme::Auto.is_http(host, Some("test"));
        for host in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.5:5000",
            "[::1]:5000",
            "[fd00::1]",
            "web.test",
            "web.test:80",
        ] {
            assert!(http(host), "{host}");
        }
        for host in [
            "ghcr.io",
            "172.32.0.1",
            "8.8.8.8:80",
            "[2001:db8::1]",
            "test",
            "contest",
            "localhost.io:5000",
        ] {
            assert!(!http(host), "{host}");
        }
        assert!(!Scheme::Auto.is_http("web.test", None));
    }

    #[test]
    fn words() {
        assert_eq!("http".parse(), Ok(Scheme::Http));
        assert!(Scheme::Http.is_http("ghcr.io", None));
        assert!(!Scheme::Https.is_http("localhost", None));
        let error = "ftp".parse::<Scheme>().map_err(|error| error.to_string());
        assert_eq!(error, Err("unsupported scheme ftp".to_owned()));
    }
}
