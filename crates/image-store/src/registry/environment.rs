//! How registries are reached: proxies, certificates, credentials (behaviour reference, 19.4, 20.4 and 33).

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use container_resource::Secret;
use reqwest::redirect;

use super::error::{RegistryError, root_cause};
use super::mirror::Mirror;
use super::secrets::Secrets;

/// How this program names itself to registries.
const USER_AGENT: &str = concat!("container/", env!("CARGO_PKG_VERSION"));

/// Hosts that no proxy can reach.
const NEVER_PROXIED: &str = "localhost,127.0.0.0/8,::1";

/// A user name and its secret for one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The host, with its port if it has one.
    pub host: String,
    /// The user name.
    pub user: String,
    /// The password or token.
    pub secret: Secret,
}

/// How registries are reached. The default is: directly, anonymously, trusting the system's certificates.
#[derive(Clone)]
pub struct Registries {
    /// The proxy for http registries, as a URL.
    pub http_proxy: Option<String>,
    /// The proxy for https registries, as a URL.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas: `*`, names, `.suffixes`, `*.suffixes`, addresses.
    pub no_proxy: Option<String>,
    /// PEM files with certificates to trust besides the system's.
    pub certificate_files: Vec<PathBuf>,
    /// The credentials to show, if the registry is the one they are for; they come before all others.
    pub credentials: Option<Credentials>,
    /// Where logins are kept.
    pub secrets: Option<Arc<dyn Secrets>>,
    /// Docker's `config.json`, whose credentials and credential helpers come last.
    pub docker_config: Option<PathBuf>,
    /// Mirrors by the host that they have copies of, to be asked in this order before it.
    pub mirrors: HashMap<String, Vec<Mirror>>,
    /// How long making a connection may take, name look-up and TLS included.
    pub connect_timeout: Duration,
    /// How long a registry may send nothing while something is waited for.
    pub read_timeout: Duration,
    /// How often a request is made again after a failure that may pass.
    pub retries: u32,
    /// The pause before that.
    pub retry_delay: Duration,
}

impl fmt::Debug for Registries {
    /// Leaves the proxies out, whose URLs may have passwords in them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registries")
            .field("no_proxy", &self.no_proxy)
            .field("certificate_files", &self.certificate_files)
            .field("credentials", &self.credentials)
            .field("secrets", &self.secrets)
            .field("docker_config", &self.docker_config)
            .field("mirrors", &self.mirrors)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("retries", &self.retries)
            .field("retry_delay", &self.retry_delay)
            .finish_non_exhaustive()
    }
}

impl Default for Registries {
    fn default() -> Self {
        Self {
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            certificate_files: Vec::new(),
            credentials: None,
            secrets: None,
            docker_config: None,
            mirrors: HashMap::new(),
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(30),
            retries: 3,
            retry_delay: Duration::from_secs(1),
        }
    }
}

impl Registries {
    /// Reads the settings that `variable` looks up, normally [`std::env::var`]; upper case names come first.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let either = |name: &str| get(name).or_else(|| get(&name.to_ascii_lowercase()));
        let credentials = || {
            Some(Credentials {
                host: get("CONTAINER_REGISTRY_HOST")?,
                user: get("CONTAINER_REGISTRY_USER")?,
                secret: get("CONTAINER_REGISTRY_TOKEN")?.into(),
            })
        };
        let docker = get("DOCKER_CONFIG").map(PathBuf::from);
        let docker = docker.or_else(|| Some(Path::new(&get("HOME")?).join(".docker")));
        let files = ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"];
        Self {
            http_proxy: either("HTTP_PROXY"),
            https_proxy: either("HTTPS_PROXY"),
            no_proxy: either("NO_PROXY"),
            certificate_files: files
                .iter()
                .filter_map(|name| get(name))
                .map(PathBuf::from)
                .collect(),
            credentials: credentials(),
            docker_config: docker.map(|directory| directory.join("config.json")),
            ..Self::default()
        }
    }

    /// The HTTP client for everything that a registry is asked.
    pub(super) fn http_client(&self) -> Result<reqwest::Client, RegistryError> {
        install_crypto();
        let settings = |error: reqwest::Error| RegistryError::Settings(root_cause(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(self.connect_timeout)
            .read_timeout(self.read_timeout)
            .redirect(redirect::Policy::custom(follow))
            .no_proxy();
        let no_proxy = || reqwest::NoProxy::from_string(&self.no_proxy());
        if let Some(url) = &self.http_proxy {
            builder = builder.proxy(reqwest::Proxy::http(url).map_err(settings)?.no_proxy(no_proxy()));
        }
        if let Some(url) = &self.https_proxy {
            builder = builder.proxy(reqwest::Proxy::https(url).map_err(settings)?.no_proxy(no_proxy()));
        }
        for pem in self.certificates()? {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(settings)?;
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map_err(settings)
    }

    fn no_proxy(&self) -> String {
        let configured = self.no_proxy.iter().flat_map(|list| list.split(','));
        // `*.suffix` and `.suffix` mean the same; the HTTP client knows only the second.
        let configured = configured
            .map(|host| host.trim())
            .map(|host| match host.strip_prefix('*') {
                Some(suffix) if suffix.starts_with('.') => suffix,
                _ => host,
            });
        std::iter::once(NEVER_PROXIED)
            .chain(configured)
            .collect::<Vec<_>>()
            .join(",")
    }

    fn certificates(&self) -> Result<Vec<Vec<u8>>, RegistryError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|error| {
                RegistryError::Settings(format!("failed to read certificates {}: {error}", path.display()))
            })
        };
        self.certificate_files.iter().map(read).collect()
    }
}

/// Redirects lead blobs to other hosts, but never from https to http.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_https = attempt
        .previous()
        .last()
        .is_some_and(|url| url.scheme() == "https");
    if was_https && attempt.url().scheme() != "https" {
        return attempt.error("redirect from https to http");
    }
    if attempt.previous().len() > 10 {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

/// Makes ring the provider of TLS cryptography, once per process.
pub(super) fn install_crypto() {
    static ONCE: Once = Once::new();
    // An error means that a provider is there already: that one is then used.
    ONCE.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Registries {
        let variables: HashMap<&str, &str> = variables.iter().copied().collect();
        Registries::from_environment(|name| variables.get(name).map(ToString::to_string))
    }

    #[test]
    fn upper_case_comes_first() {
        let registries = from(&[
            ("http_proxy", "a"),
            ("HTTP_PROXY", "b"),
            ("https_proxy", "c"),
            ("HTTPS_PROXY", ""),
        ]);
        assert_eq!(registries.http_proxy.as_deref(), Some("b"));
        assert_eq!(registries.https_proxy.as_deref(), Some("c"));
    }

    #[test]
    fn no_proxy_forms() {
        let registries = from(&[("NO_PROXY", "*.example.com, .test,10.0.0.0/8")]);
        assert_eq!(
            registries.no_proxy(),
            "localhost,127.0.0.0/8,::1,.example.com,.test,10.0.0.0/8"
        );
        assert_eq!(
            from(&[("NO_PROXY", "*")]).no_proxy(),
            "localhost,127.0.0.0/8,::1,*"
        );
    }

    #[test]
    fn credentials_need_all_three_and_stay_out_of_logs() {
        let host = ("CONTAINER_REGISTRY_HOST", "registry-1.docker.io");
        assert_eq!(from(&[host, ("CONTAINER_REGISTRY_USER", "me")]).credentials, None);
        let registries = from(&[
            host,
            ("CONTAINER_REGISTRY_USER", "me"),
            ("CONTAINER_REGISTRY_TOKEN", "hunter2"),
        ]);
        assert!(!format!("{registries:?}").contains("hunter2"));
        let credentials = registries.credentials.unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.secret.expose()),
            ("me", "hunter2")
        );
    }

    #[test]
    fn dockers_configuration_is_where_docker_has_it() {
        let path = |variables| from(variables).docker_config;
        assert_eq!(path(&[]), None);
        assert_eq!(path(&[("HOME", "/h")]), Some("/h/.docker/config.json".into()));
        assert_eq!(
            path(&[("HOME", "/h"), ("DOCKER_CONFIG", "/d")]),
            Some("/d/config.json".into())
        );
    }

    #[test]
    fn settings_that_cannot_be_used_say_why() {
        let registries = from(&[("CURL_CA_BUNDLE", "/nonexistent.pem")]);
        let error = registries.http_client().unwrap_err().to_string();
        assert!(
            error.starts_with("cannot set up connections: failed to read certificates /nonexistent.pem"),
            "{error}"
        );
    }
}
