//! Requests to one repository: authentication, repetition, and what an answer's status means.

use std::fmt;
use std::time::Duration;

use container_resource::Reference;
use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use reqwest::header::{ACCEPT, RANGE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::environment::Registries;
use super::error::{RegistryError, root_cause};

/// How often a request is made again after a failure that may pass.
pub(super) const RETRIES: u32 = 3;

/// The longest that a registry's `Retry-After` is obeyed.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// How much longer than otherwise a registry may be silent during a push.
const PUSH_PATIENCE: u32 = 10;

/// How much of an error's body is looked at, in bytes.
const MAX_ERROR_BODY: usize = 64 << 10;

/// A repository in a registry, and how to talk to it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(super) host: String,
    repository: String,
    scheme: &'static str,
    settings: Registries,
    http: reqwest::Client,
    auth: RegistryAuth,
    access: Access,
    authorization: Mutex<Authorization>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// What is shown to the registry with every request.
#[derive(Debug, Clone, Default)]
struct Authorization {
    /// Counts how often it was renewed.
    version: u32,
    kind: AuthorizationKind,
}

#[derive(Clone, Default)]
enum AuthorizationKind {
    #[default]
    None,
    Basic,
    Bearer(String),
}

impl fmt::Debug for AuthorizationKind {
    /// Leaves the token out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic => "Basic",
            Self::Bearer(_) => "Bearer",
        })
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The path behind the repository, such as `manifests/latest`.
    pub(super) path: &'a str,
    /// What it is called in errors.
    pub(super) name: &'a str,
    /// Media types, separated by commas.
    pub(super) accept: &'a str,
    /// Bytes to leave out at the beginning.
    pub(super) offset: u64,
}

impl Connection {
    /// Prepares to talk to the repository of `reference`, over http if it is `insecure`. Nothing is sent yet.
    pub(crate) fn new(
        settings: &Registries,
        reference: &Reference,
        insecure: bool,
        access: Access,
    ) -> Result<Self, RegistryError> {
        let host = reference.host().ok_or_else(|| {
            RegistryError::Settings(format!("no host specified in image reference: {reference}"))
        })?;
        let auth = settings.auth(host);
        let mut settings = settings.clone();
        if access == Access::Push {
            // A registry may look at all of a blob before it answers that it has it.
            settings.read_timeout *= PUSH_PATIENCE;
        }
        Ok(Self {
            host: host.to_owned(),
            repository: reference.path().to_owned(),
            scheme: if insecure { "http" } else { "https" },
            http: settings.http_client()?,
            settings,
            auth,
            access,
            authorization: Mutex::default(),
        })
    }

    /// Asks for something until it is there or failed for good.
    pub(super) async fn get(&self, ask: Ask<'_>) -> Result<Response, RegistryError> {
        let url = self.url(ask.path)?;
        let build = |http: &reqwest::Client| {
            let request = http.get(url.clone()).header(ACCEPT, ask.accept);
            match ask.offset {
                0 => request,
                offset => request.header(RANGE, format!("bytes={offset}-")),
            }
        };
        self.request(ask.name, &url, true, build).await
    }

    /// The address of `path` in this repository.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        let text = format!("{}://{}/v2/{}/{path}", self.scheme, self.host, self.repository);
        Url::parse(&text)
            .map_err(|error| RegistryError::Settings(format!("invalid host {}: {error}", self.host)))
    }

    /// Makes a request until it succeeds or failed for good; `name` is what it is about in errors. What `build` makes
    /// goes to `url`. With `again`, it is repeated after failures that may pass; otherwise only to show credentials,
    /// and for the caller to find out what arrived.
    pub(super) async fn request(
        &self,
        name: &str,
        url: &Url,
        again: bool,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        let mut retries = if again { 0 } else { RETRIES };
        let mut challenged = false;
        loop {
            let authorization = self.authorization.lock().await.clone();
            let request = self.authorized(build(&self.http), url, &authorization.kind);
            let response = match request.send().await {
                Ok(response) => response,
                Err(error) if retries < RETRIES && is_passing(&error) => {
                    tracing::debug!("{name} at {}: {}", self.host, root_cause(&error));
                    retries += 1;
                    tokio::time::sleep(self.settings.retry_delay).await;
                    continue;
                }
                Err(error) => return Err(self.failed(&error)),
            };
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED && !challenged {
                challenged = true;
                self.authenticate(authorization.version).await?;
                continue;
            }
            if (status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS) && retries < RETRIES {
                retries += 1;
                tokio::time::sleep(retry_after(&response).unwrap_or(self.settings.retry_delay)).await;
                continue;
            }
            return Err(self.refused(name, response).await);
        }
    }

    /// Shows the credentials, but to nobody except the registry itself: uploads may lead elsewhere.
    fn authorized(&self, request: RequestBuilder, url: &Url, kind: &AuthorizationKind) -> RequestBuilder {
        let own = self.url("").is_ok_and(|own| own.origin() == url.origin());
        match (kind, &self.auth) {
            _ if !own => request,
            (AuthorizationKind::Bearer(token), _) => request.bearer_auth(token),
            (AuthorizationKind::Basic, RegistryAuth::Basic(user, secret)) => {
                request.basic_auth(user, Some(secret))
            }
            _ => request,
        }
    }

    /// How long to wait before trying again.
    pub(super) fn retry_delay(&self) -> Duration {
        self.settings.retry_delay
    }

    /// Gets a token, or notes that the credentials themselves are wanted; unless another request did so meanwhile.
    async fn authenticate(&self, version: u32) -> Result<(), RegistryError> {
        let mut authorization = self.authorization.lock().await;
        if authorization.version != version {
            return Ok(());
        }
        let client = self.settings.auth_client(self.scheme == "http")?;
        // A token is for the repository; the tag plays no part.
        let reference =
            oci_client::Reference::with_tag(self.host.clone(), self.repository.clone(), "latest".to_owned());
        let operation = match self.access {
            Access::Pull => RegistryOperation::Pull,
            Access::Push => RegistryOperation::Push,
        };
        let token = client.auth(&reference, &self.auth, operation).await;
        let kind = match token {
            Ok(Some(token)) => AuthorizationKind::Bearer(token),
            Ok(None) => AuthorizationKind::Basic,
            Err(OciDistributionError::RequestError(error)) => return Err(self.failed(&error)),
            Err(OciDistributionError::AuthenticationFailure(body)) => {
                return Err(self.denied(describe(StatusCode::UNAUTHORIZED, &body)));
            }
            Err(error) => {
                let reason = format!("an answer to the request for a token that is not understood: {error}");
                return Err(RegistryError::Malformed {
                    host: self.host.clone(),
                    reason,
                });
            }
        };
        *authorization = Authorization {
            version: version + 1,
            kind,
        };
        Ok(())
    }

    /// What a request that got no answer means.
    pub(super) fn failed(&self, error: &reqwest::Error) -> RegistryError {
        let host = self.host.clone();
        if error.is_timeout() && !error.is_connect() {
            return RegistryError::Stalled {
                host,
                seconds: self.settings.read_timeout.as_secs(),
            };
        }
        let mut reason = root_cause(error);
        if error.is_timeout() {
            reason = format!(
                "no connection within {} seconds",
                self.settings.connect_timeout.as_secs()
            );
        } else if self.scheme == "https" && reason.contains("InvalidContentType") {
            reason = "it does not speak https (--scheme http may help)".to_owned();
        }
        RegistryError::Unreachable { host, reason }
    }

    async fn refused(&self, name: &str, response: Response) -> RegistryError {
        let status = response.status();
        let reason = describe(status, &error_body(response).await);
        let host = self.host.clone();
        match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound {
                what: name.to_owned(),
                host,
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.denied(reason),
            _ => RegistryError::Refused { host, status, reason },
        }
    }

    fn denied(&self, reason: String) -> RegistryError {
        RegistryError::Denied {
            host: self.host.clone(),
            repository: self.repository.clone(),
            reason,
            anonymous: self.auth == RegistryAuth::Anonymous,
        }
    }
}

/// Whether a request that got no answer may get one the next time: not when there was no connection at all, which is
/// better said at once, and not when the registry was silent for long already.
fn is_passing(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_timeout() && !error.is_redirect() && !error.is_builder()
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

async fn error_body(mut response: Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ERROR_BODY {
            return String::new();
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// The status with the messages that the registry's error document gives for it.
fn describe(status: StatusCode, body: &str) -> String {
    #[derive(Deserialize)]
    struct Document {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(default)]
        message: String,
    }
    let messages: Vec<String> = serde_json::from_str::<Document>(body)
        .map(|document| document.errors.into_iter().map(|item| item.message).collect())
        .unwrap_or_default();
    let messages: Vec<String> = messages
        .into_iter()
        .map(|text| text.replace(|c: char| c.is_control(), " "))
        .filter(|text| !text.is_empty())
        .collect();
    match messages[..] {
        [] => status.to_string(),
        _ => format!("{status} ({})", messages.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_the_registry_says() {
        let body = r#"{"errors":[{"code":"DENIED","message":"pull\nlimit"},{"code":"X","detail":1}]}"#;
        assert_eq!(
            describe(StatusCode::FORBIDDEN, body),
            "403 Forbidden (pull limit)"
        );
        assert_eq!(describe(StatusCode::BAD_GATEWAY, "<html>"), "502 Bad Gateway");
    }

    #[test]
    fn a_local_name_has_no_registry() {
        let reference: Reference = "foo:latest".parse().unwrap();
        let error = Connection::new(&Registries::default(), &reference, false, Access::Pull).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot set up connections: no host specified in image reference: foo:latest"
        );
    }
}
