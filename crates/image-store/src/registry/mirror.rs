//! Mirrors: registries that have copies of what another one has.

use std::sync::atomic::{AtomicUsize, Ordering};

use container_resource::Reference;
use reqwest::Url;

use super::connection::{Access, Connection};
use super::environment::Registries;
use super::error::RegistryError;
use crate::error::Error;

/// A registry that has copies of what another one has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its host, with its port if it has one.
    pub host: String,
    /// What stands in front of every repository there; may be empty.
    pub prefix: String,
    /// Whether it is spoken to over http.
    pub insecure: bool,
}

impl Mirror {
    /// Reads `[http://|https://]host[:port][/prefix]`. Without a scheme, `is_http` tells it by the host.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(text: &str, is_http: impl Fn(&str) -> bool) -> Result<Self, RegistryError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let insecure = match scheme {
            Some("http") => true,
            Some("https") => false,
            None => is_http(host),
            Some(_) => return Err(RegistryError::InvalidHost(text.to_owned())),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:[]/".contains(c);
        let url = Url::parse(&format!("https://{host}/"));
        if !rest.chars().all(plain) || !url.is_ok_and(|url| url.has_host()) {
            return Err(RegistryError::InvalidHost(text.to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            prefix: prefix.to_owned(),
            insecure,
        })
    }
}

/// Where a repository can be pulled from.
#[derive(Debug)]
pub(crate) struct Sources {
    mirrors: Vec<Connection>,
    /// How many of the mirrors are not asked any more.
    passed_over: AtomicUsize,
    own: Connection,
}

impl Sources {
    /// Prepares to pull from the repository of `reference`, whose own registry is spoken to over http if it is
    /// `insecure`. Nothing is sent yet.
    pub(crate) fn new(
        settings: &Registries,
        reference: &Reference,
        insecure: bool,
    ) -> Result<Self, RegistryError> {
        let own = Connection::new(settings, reference, insecure, Access::Pull)?;
        let mirrors = settings.mirrors.get(&own.host).into_iter().flatten();
        let mirrors = mirrors.map(|mirror| Connection::to_mirror(settings, mirror, reference.path()));
        Ok(Self {
            mirrors: mirrors.collect::<Result<_, _>>()?,
            passed_over: AtomicUsize::new(0),
            own,
        })
    }

    /// The mirrors to ask first, in this order, with their places.
    pub(super) fn mirrors(&self) -> impl Iterator<Item = (usize, &Connection)> {
        let mirrors = self.mirrors.iter().enumerate();
        mirrors.skip(self.passed_over.load(Ordering::Relaxed))
    }

    /// The registry itself, to be asked last.
    pub(super) fn own(&self) -> &Connection {
        &self.own
    }

    /// Whether another one may do better than the mirror at `place`, which failed. It is not asked again then: what it
    /// does not have costs a round trip each time, and a host that does not answer more.
    pub(super) fn pass_over(&self, place: usize, error: &Error) -> bool {
        let elsewhere = matches!(
            error,
            Error::Registry(_)
                | Error::DigestMismatch { .. }
                | Error::SizeMismatch { .. }
                | Error::Malformed { .. }
        );
        if elsewhere {
            tracing::warn!("mirror {} is passed over: {error}", self.mirrors[place].host);
            self.passed_over.fetch_max(place + 1, Ordering::Relaxed);
        }
        elsewhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text| {
            Mirror::parse(text, |host| host.starts_with("localhost"))
                .map(|mirror| (mirror.host, mirror.prefix, mirror.insecure))
                .map_err(|error| error.to_string())
        };
        let mirror = |host: &str, prefix: &str, insecure| Ok((host.to_owned(), prefix.to_owned(), insecure));
        assert_eq!(parse("mirror.gcr.io"), mirror("mirror.gcr.io", "", false));
        assert_eq!(parse("localhost:5000"), mirror("localhost:5000", "", true));
        assert_eq!(
            parse("https://localhost:5000/"),
            mirror("localhost:5000", "", false)
        );
        assert_eq!(
            parse("http://harbor.test/proxy/hub/"),
            mirror("harbor.test", "proxy/hub", true)
        );
        for text in [
            "",
            "ftp://a",
            "https://",
            "a b",
            "user@host",
            "host?x",
            "host:port",
        ] {
            assert_eq!(parse(text), Err(format!("invalid host {text}")), "{text}");
        }
    }
}
