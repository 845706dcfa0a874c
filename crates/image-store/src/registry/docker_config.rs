//! Docker's `config.json`, read for the credentials that are in it or that it says how to get.

use std::collections::HashMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use container_resource::Secret;
use container_resource::reference::{DOCKER_DOMAIN, DOCKER_HOST};
use serde::Deserialize;

use super::identity::Identity;

/// What Docker calls its own registry in this file and towards helpers.
const DOCKER_SERVER: &str = "https://index.docker.io/v1/";

/// With or without padding, both of which programs write.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where credentials are to be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Here.
    Written(Identity),
    /// From the program `docker-credential-<name>`.
    Helper {
        /// The helper.
        name: String,
        /// What to ask it for.
        server: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    auths: Option<HashMap<String, Option<Entry>>>,
    cred_helpers: Option<HashMap<String, String>>,
    creds_store: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: String,
    username: String,
    password: String,
    identitytoken: String,
    registrytoken: String,
}

/// Everything that `config` says about the registry `host`, in the order in which it is to be tried: the helper for
/// this registry, the helper for all, what is written down.
///
/// # Errors
///
/// It is not such a configuration. The text does not repeat what is in it.
pub(super) fn sources(config: &[u8], host: &str) -> Result<Vec<Source>, String> {
    let config: Config = serde_json::from_slice(config)
        .map_err(|error| format!("malformed at line {}, column {}", error.line(), error.column()))?;
    let mut sources = Vec::new();
    let helpers = config.cred_helpers.unwrap_or_default();
    let own = helpers.into_iter().find(|(key, _)| means(key, host));
    let shared = config.creds_store.filter(|name| !name.is_empty());
    for name in own.map(|(_, name)| name).into_iter().chain(shared) {
        let server = match host {
            DOCKER_HOST => DOCKER_SERVER.to_owned(),
            host => host.to_owned(),
        };
        sources.push(Source::Helper { name, server });
    }
    let written = config.auths.unwrap_or_default().into_iter();
    let written = written.filter(|(key, _)| means(key, host));
    sources.extend(
        written
            .filter_map(|(_, entry)| entry?.identity())
            .map(Source::Written),
    );
    Ok(sources)
}

/// Whether a key of the file, a host or a URL, is the registry `host`.
fn means(key: &str, host: &str) -> bool {
    let name = key
        .strip_prefix("https://")
        .or_else(|| key.strip_prefix("http://"))
        .unwrap_or(key);
    match name.split('/').next().unwrap_or(name) {
        DOCKER_DOMAIN | "index.docker.io" => host == DOCKER_HOST,
        name => name == host,
    }
}

impl Entry {
    /// Docker's own order: tokens are there because the password is not to be used. An empty entry only notes that a
    /// helper has the credentials.
    fn identity(self) -> Option<Identity> {
        if !self.registrytoken.is_empty() {
            return Some(Identity::RegistryToken(self.registrytoken.into()));
        }
        if !self.identitytoken.is_empty() {
            return Some(Identity::RefreshToken(self.identitytoken.into()));
        }
        let (user, secret) = decoded(&self.auth).unwrap_or((self.username, self.password));
        if user.is_empty() || secret.is_empty() {
            return None;
        }
        let secret = Secret::from(secret);
        Some(Identity::Password { user, secret })
    }
}

/// The user and the password in `auth`: Base64 of both with a colon between.
fn decoded(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (user, secret) = text.split_once(':')?;
    // Docker writes these when it runs on Windows.
    Some((user.to_owned(), secret.trim_end_matches('\0').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, secret: &str) -> Source {
        Source::Written(Identity::Password {
            user: user.to_owned(),
            secret: secret.into(),
        })
    }

    fn helper(name: &str, server: &str) -> Source {
        Source::Helper {
            name: name.to_owned(),
            server: server.to_owned(),
        }
    }

    #[test]
    fn written_credentials() {
        // `me:a:b`, without padding.
        let config = br#"{"auths": {
            "https://index.docker.io/v1/": {"auth": "bWU6YTpi"},
            "localhost:5000": {"username": "u", "password": "p"},
            "ghcr.io": {"auth": "bWU6YTpiYw", "identitytoken": "t"},
            "quay.io": {"registrytoken": "r"},
            "noted.example": {},
            "gone.example": null,
            "odd.example": {"auth": "???"}
        }}"#;
        let found = |host: &str| sources(config, host).unwrap();
        assert_eq!(found("registry-1.docker.io"), [password("me", "a:b")]);
        assert_eq!(found("localhost:5000"), [password("u", "p")]);
        assert_eq!(found("localhost"), []);
        assert_eq!(
            found("ghcr.io"),
            [Source::Written(Identity::RefreshToken("t".into()))]
        );
        assert_eq!(
            found("quay.io"),
            [Source::Written(Identity::RegistryToken("r".into()))]
        );
        for host in ["noted.example", "gone.example", "odd.example", "other.example"] {
            assert_eq!(found(host), [], "{host}");
        }
    }

    #[test]
    fn helpers_come_first() {
        let config = br#"{
            "auths": {"ghcr.io": {"auth": "bWU6YTpi"}},
            "credHelpers": {"ghcr.io": "gh", "docker.io": "hub"},
            "credsStore": "desktop"
        }"#;
        assert_eq!(
            sources(config, "ghcr.io").unwrap(),
            [
                helper("gh", "ghcr.io"),
                helper("desktop", "ghcr.io"),
                password("me", "a:b")
            ]
        );
        assert_eq!(
            sources(config, "registry-1.docker.io").unwrap(),
            [helper("hub", DOCKER_SERVER), helper("desktop", DOCKER_SERVER)]
        );
        assert_eq!(sources(config, "a.test").unwrap(), [helper("desktop", "a.test")]);
    }

    #[test]
    fn malformed_files_are_not_quoted() {
        let error = sources(br#"{"auths": {"a": {"auth": ["hunter2"]}}}"#, "a").unwrap_err();
        assert!(error.starts_with("malformed at line 1, column "), "{error}");
        assert!(!error.contains("hunter2"));
        assert!(sources(b"", "a").is_err());
        assert_eq!(sources(b"{}", "a").unwrap(), []);
    }
}
