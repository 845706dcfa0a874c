//! Image references: `[domain/]path[:tag][@digest]` (behaviour reference, 19.1).

use std::fmt;
use std::str::FromStr;

/// The registry that images come from when nothing else is configured.
pub const DOCKER_DOMAIN: &str = "docker.io";

/// The host that serves [`DOCKER_DOMAIN`].
pub const DOCKER_HOST: &str = "registry-1.docker.io";

/// The longest reference, and the longest domain and path together, in bytes.
const MAXIMUM_LENGTH: usize = 255;

/// The host that serves the registry `domain`, which is the name that credentials are stored under.
pub fn registry_host(domain: &str) -> &str {
    match domain {
        DOCKER_DOMAIN => DOCKER_HOST,
        domain => domain,
    }
}

/// The name of an image in a registry or in the local store.
///
/// A reference with both a tag and a digest keeps the digest only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    domain: Option<String>,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// A text that is not an image reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// The text could be mistaken for an image's id.
    #[error("cannot specify 64 byte hex string as reference")]
    Identifier,
    /// The text breaks the grammar or is too long.
    #[error("invalid format for image reference")]
    Format,
}

impl Reference {
    /// Reads what a user typed: without a domain it gets `default_domain`, and it is [normalised](Self::normalized).
    ///
    /// # Errors
    ///
    /// When `text` is not a reference.
    pub fn parse_normalized(text: &str, default_domain: &str) -> Result<Self, InvalidReference> {
        let mut reference: Self = text.parse()?;
        if reference.domain.is_none() {
            reference = format!("{default_domain}/{text}").parse()?;
        }
        // What was added may make it too long.
        reference.normalized().to_string().parse()
    }

    /// The registry, such as `ghcr.io` or `localhost:5000`.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// The repository in the registry, such as `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, unless a digest is named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, such as `sha256:…`.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Domain and path, without tag and digest.
    pub fn name(&self) -> String {
        match &self.domain {
            Some(domain) => format!("{domain}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// The host, with its port, that serves this image; none without a domain.
    pub fn host(&self) -> Option<&str> {
        self.domain().map(registry_host)
    }

    /// The same image by its full name: a tag is there unless a digest is, and Docker's own images have their
    /// `library/`.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        if matches!(self.domain(), Some(DOCKER_DOMAIN | DOCKER_HOST)) && !self.path.contains('/') {
            self.path.insert_str(0, "library/");
        }
        self
    }

    /// The shortest form that means the same when `default_domain` is configured, which is the form shown to users.
    #[must_use]
    pub fn denormalized(mut self, default_domain: &str) -> Self {
        if self.domain() != Some(default_domain) {
            return self;
        }
        self.domain = None;
        if default_domain == DOCKER_DOMAIN
            && let Some(short) = self.path.strip_prefix("library/")
            && !short.contains('/')
        {
            self.path = short.to_owned();
        }
        self
    }
}

/// `text` as users see it; a text that is not a reference, such as `untagged@sha256:…`, stays as it is.
pub fn displayed(text: &str, default_domain: &str) -> String {
    text.parse::<Reference>().map_or_else(
        |_| text.to_owned(),
        |reference| reference.denormalized(default_domain).to_string(),
    )
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(domain) = &self.domain {
            write!(f, "{domain}/")?;
        }
        f.write_str(&self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAXIMUM_LENGTH {
            return Err(InvalidReference::Format);
        }
        if is_hex(text, 64) {
            return Err(InvalidReference::Identifier);
        }
        let (domain, rest) = match text.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first.starts_with("localhost") => {
                (Some(first), rest)
            }
            _ => (None, text),
        };
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let valid = domain.is_none_or(is_domain)
            && path.split('/').all(is_path_component)
            && tag.is_none_or(is_tag)
            && digest.is_none_or(is_digest)
            && domain.map_or(0, |domain| domain.len() + 1) + path.len() <= MAXIMUM_LENGTH;
        if !valid {
            return Err(InvalidReference::Format);
        }
        Ok(Self {
            domain: domain.map(str::to_owned),
            path: path.to_owned(),
            tag: tag.filter(|_| digest.is_none()).map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| is_hex(hex, 64))
}

fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// Host names, addresses (version 6 in brackets), and an optional port.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, rest)) => (
                Err(host),
                rest.strip_prefix(':').or((!rest.is_empty()).then_some("")),
            ),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (Ok(host), Some(port)),
            None => (Ok(text), None),
        },
    };
    let host = match host {
        Ok(name) => name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        }),
        Err(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
    };
    host && port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok())
}

/// Lower case words joined by one `.`, one or two `_`, or dashes.
fn is_path_component(text: &str) -> bool {
    let separator = |b: u8| matches!(b, b'.' | b'_' | b'-');
    let bytes = text.as_bytes();
    let at_the_edge = [bytes.first(), bytes.last()]
        .iter()
        .any(|edge| edge.is_none_or(|b| separator(*b)));
    !at_the_edge
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || separator(*b))
        && bytes
            .split(|b| !separator(*b))
            .all(|run| matches!(run, [] | b"." | b"_" | b"__") || run.iter().all(|b| *b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

    fn normal(text: &str) -> String {
        Reference::parse_normalized(text, DOCKER_DOMAIN)
            .map_or_else(|error| error.to_string(), |reference| reference.to_string())
    }

    #[test]
    fn normalises_what_users_type() {
        assert_eq!(normal("alpine"), "docker.io/library/alpine:latest");
        assert_eq!(normal("alpine:3.22"), "docker.io/library/alpine:3.22");
        assert_eq!(normal("me/app"), "docker.io/me/app:latest");
        assert_eq!(normal("docker.io/alpine"), "docker.io/library/alpine:latest");
        assert_eq!(
            normal("registry-1.docker.io/alpine"),
            "registry-1.docker.io/library/alpine:latest"
        );
        assert_eq!(normal("ghcr.io/alpine"), "ghcr.io/alpine:latest");
        assert_eq!(normal("localhost/x"), "localhost/x:latest");
        assert_eq!(normal("localhost:5000/a/b:c"), "localhost:5000/a/b:c");
        assert_eq!(normal("[::1]:5000/a"), "[::1]:5000/a:latest");
        assert_eq!(
            normal(&format!("alpine:3@sha256:{HEX}")),
            format!("docker.io/library/alpine@sha256:{HEX}")
        );
        let other = Reference::parse_normalized("a", "ghcr.io").map(|reference| reference.to_string());
        assert_eq!(other.as_deref(), Ok("ghcr.io/a:latest"));
        let long = |length| normal(&format!("ghcr.io/{}", "x".repeat(length)));
        assert_eq!(long(240).len(), 255);
        assert_eq!(long(241), "invalid format for image reference");
    }

    #[test]
    fn shows_the_short_form() {
        let shown = |text: &str| displayed(text, DOCKER_DOMAIN);
        assert_eq!(shown("docker.io/library/alpine:latest"), "alpine:latest");
        assert_eq!(shown("docker.io/me/app:1"), "me/app:1");
        assert_eq!(shown("docker.io/library/a/b:1"), "library/a/b:1");
        assert_eq!(shown("ghcr.io/a/b:1"), "ghcr.io/a/b:1");
        assert_eq!(shown("foo:latest"), "foo:latest");
        assert_eq!(
            shown(&format!("untagged@sha256:{HEX}")),
            format!("untagged@sha256:{HEX}")
        );
        assert_eq!(displayed("ghcr.io/library/a:1", "ghcr.io"), "library/a:1");
    }

    #[test]
    fn refuses_what_is_not_a_reference() {
        let format = "invalid format for image reference";
        for text in [
            "",
            ":latest",
            "@",
            "Alpine",
            "a:",
            "a:-x",
            "a//b",
            "/a",
            "a/",
            "a b",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "a.",
            "a@sha256:abc",
            "ghcr.io/",
            "ghcr.io:port/a",
            "ghcr.io:99999/a",
            "-x.y/a",
            "[::1/a",
            "[zz]:1/a",
            "a/ü",
            "a:b:c",
            "a@b@c",
            "[::1]5/a",
        ] {
            assert_eq!(normal(text), format, "{text}");
        }
        assert_eq!(normal(&"a".repeat(256)), format);
        assert_eq!(normal(HEX), "cannot specify 64 byte hex string as reference");
        assert_eq!(normal(&format!("{HEX}:x")), format!("docker.io/library/{HEX}:x"));
        assert_eq!(normal(&format!("a:{}", "t".repeat(129))), format);
    }

    #[test]
    fn names_the_host_that_serves() {
        let host = |text: &str| {
            Reference::parse_normalized(text, DOCKER_DOMAIN)
                .ok()
                .and_then(|r| r.host().map(str::to_owned))
        };
        assert_eq!(host("alpine").as_deref(), Some("registry-1.docker.io"));
        assert_eq!(host("localhost:5000/a").as_deref(), Some("localhost:5000"));
    }
}
