//! Requests to one repository: authentication, repetition, and what an answer's status means.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use container_resource::{Reference, Secret};
use oci_client::errors::OciEnvelope;
use reqwest::header::{ACCEPT, RANGE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use tokio::sync::{Mutex, OnceCell};

use super::challenge::Challenge;
use super::environment::Registries;
use super::error::{RegistryError, root_cause};
use super::identity::{Identity, Lookup};
use super::mirror::Mirror;

/// The longest that a registry's `Retry-After` is obeyed. One that wants more waiting is not asked again.
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
    access: Access,
    /// Other repositories that are read from.
    also_read: BTreeSet<String>,
    /// Looked up when the registry asks for it.
    lookup: OnceCell<Lookup>,
    authorization: Mutex<Authorization>,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
    Login,
}

/// What is shown to the registry with every request.
#[derive(Debug, Clone, Default)]
struct Authorization {
    /// Counts how often it was renewed.
    version: u32,
    kind: AuthorizationKind,
}

#[derive(Debug, Clone, Default)]
enum AuthorizationKind {
    #[default]
    None,
    Basic {
        user: String,
        secret: Secret,
    },
    Bearer(Secret),
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
        let mut settings = settings.clone();
        if access == Access::Push {
            // A registry may look at all of a blob before it answers that it has it.
            settings.read_timeout *= PUSH_PATIENCE;
        }
        Self::with(settings, host, reference.path(), insecure, access)
    }

    /// Prepares to pull from the copy of a repository that a mirror has.
    pub(super) fn to_mirror(
        settings: &Registries,
        mirror: &Mirror,
        repository: &str,
    ) -> Result<Self, RegistryError> {
        let repository = match mirror.prefix.as_str() {
            "" => repository.to_owned(),
            prefix => format!("{prefix}/{repository}"),
        };
        let settings = settings.clone();
        Self::with(settings, &mirror.host, &repository, mirror.insecure, Access::Pull)
    }

    /// Prepares to show the registry `host` who `identity` is.
    pub(super) fn for_login(
        settings: Registries,
        host: &str,
        insecure: bool,
        identity: Identity,
    ) -> Result<Self, RegistryError> {
        let connection = Self::with(settings, host, "", insecure, Access::Login)?;
        let lookup = Lookup {
            identity: Some(identity),
            problems: Vec::new(),
        };
        Ok(Self {
            lookup: OnceCell::new_with(Some(lookup)),
            ..connection
        })
    }

    fn with(
        settings: Registries,
        host: &str,
        repository: &str,
        insecure: bool,
        access: Access,
    ) -> Result<Self, RegistryError> {
        Ok(Self {
            host: host.to_owned(),
            repository: repository.to_owned(),
            scheme: if insecure { "http" } else { "https" },
            http: settings.http_client()?,
            settings,
            access,
            also_read: BTreeSet::new(),
            lookup: OnceCell::new(),
            authorization: Mutex::default(),
        })
    }

    /// The same, also allowed to read from other repositories of the registry.
    pub(super) fn also_reading(self, repositories: impl Iterator<Item = String>) -> Self {
        Self {
            also_read: repositories.collect(),
            ..self
        }
    }

    /// Asks the registry for nothing but whether it takes what it is shown.
    pub(super) async fn ping(&self) -> Result<(), RegistryError> {
        let url = self.base()?;
        let answer = self.request("/v2/", &url, true, |http| http.get(url.clone()));
        answer.await.map(|_| ())
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
        self.parse(&format!("{}/{path}", self.repository))
    }

    /// The address of the registry.
    fn base(&self) -> Result<Url, RegistryError> {
        self.parse("")
    }

    fn parse(&self, path: &str) -> Result<Url, RegistryError> {
        Url::parse(&format!("{}://{}/v2/{path}", self.scheme, self.host))
            .map_err(|error| RegistryError::Settings(format!("invalid host {}: {error}", self.host)))
    }

    /// Whether others can read what is sent.
    pub(super) fn is_encrypted(&self) -> bool {
        self.scheme == "https"
    }

    /// What a token has to be good for, in the words of token services; nothing for a login.
    pub(super) fn scopes(&self) -> Vec<String> {
        let actions = match self.access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
            Access::Login => return Vec::new(),
        };
        let own = format!("repository:{}:{actions}", self.repository);
        let others = self.also_read.iter();
        let others = others.map(|repository| format!("repository:{repository}:pull"));
        std::iter::once(own).chain(others).collect()
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
        let mut retries = if again { 0 } else { self.retries() };
        let mut challenged = false;
        loop {
            let authorization = self.authorization.lock().await.clone();
            let authorized = |http: &reqwest::Client| self.authorized(build(http), url, &authorization.kind);
            let response = self.send(name, &mut retries, authorized).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED && !challenged {
                challenged = true;
                self.authenticate(authorization.version, response).await?;
                continue;
            }
            return Err(self.refused(name, response).await);
        }
    }

    /// Sends what `build` makes until there is an answer that trying again would not change; `retries` counts.
    pub(super) async fn send(
        &self,
        name: &str,
        retries: &mut u32,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
    ) -> Result<Response, RegistryError> {
        loop {
            let pause = match build(&self.http).send().await {
                Ok(response) if *retries < self.retries() => match pause(&response, self.retry_delay()) {
                    Some(pause) => pause,
                    None => return Ok(response),
                },
                Ok(response) => return Ok(response),
                Err(error) if *retries < self.retries() && is_passing(&error) => {
                    tracing::debug!("{name} at {}: {}", self.host, root_cause(&error));
                    self.retry_delay()
                }
                Err(error) => return Err(self.failed(&error)),
            };
            *retries += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// Shows the credentials, but to nobody except the registry itself: uploads may lead elsewhere.
    fn authorized(&self, request: RequestBuilder, url: &Url, kind: &AuthorizationKind) -> RequestBuilder {
        let own = self.base().is_ok_and(|own| own.origin() == url.origin());
        match kind {
            AuthorizationKind::Bearer(token) if own => request.bearer_auth(token.expose()),
            AuthorizationKind::Basic { user, secret } if own => {
                request.basic_auth(user, Some(secret.expose()))
            }
            _ => request,
        }
    }

    /// How often to try again after a failure that may pass.
    pub(super) fn retries(&self) -> u32 {
        self.settings.retries
    }

    /// How long to wait before trying again.
    pub(super) fn retry_delay(&self) -> Duration {
        self.settings.retry_delay
    }

    /// What there is to show, looked up once.
    async fn lookup(&self) -> &Lookup {
        let find = || self.settings.identity(&self.host);
        self.lookup.get_or_init(find).await
    }

    /// Finds out what to show after the answer `asked`, unless another request did so meanwhile.
    async fn authenticate(&self, version: u32, asked: Response) -> Result<(), RegistryError> {
        let mut authorization = self.authorization.lock().await;
        if authorization.version != version {
            return Ok(());
        }
        let identity = self.lookup().await.identity.as_ref();
        let kind = match (Challenge::of(asked.headers()), identity) {
            (_, Some(Identity::RegistryToken(token))) => AuthorizationKind::Bearer(token.clone()),
            (Some(Challenge::Bearer { realm, service }), identity) => {
                AuthorizationKind::Bearer(self.token(&realm, service.as_deref(), identity).await?)
            }
            // Where it is not said what is wanted, this is.
            (_, Some(Identity::Password { user, secret })) => AuthorizationKind::Basic {
                user: user.clone(),
                secret: secret.clone(),
            },
            (_, Some(Identity::RefreshToken(_))) => {
                let reason = "it wants a password, and there is only an identity token for it";
                return Err(self.denied(reason.to_owned()).await);
            }
            (_, None) => {
                let reason = refusal(asked).await;
                return Err(self.denied(reason).await);
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
        let reason = refusal(response).await;
        let host = self.host.clone();
        match status {
            StatusCode::NOT_FOUND => RegistryError::NotFound {
                what: name.to_owned(),
                host,
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => self.denied(reason).await,
            _ => RegistryError::Refused { host, status, reason },
        }
    }

    pub(super) async fn denied(&self, reason: String) -> RegistryError {
        let lookup = self.lookup().await;
        RegistryError::Denied {
            host: self.host.clone(),
            repository: self.repository.clone(),
            reason,
            missing: lookup.identity.is_none().then(|| lookup.problems.clone()),
        }
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> RegistryError {
        RegistryError::Malformed {
            host: self.host.clone(),
            reason: reason.into(),
        }
    }
}

/// Whether a request that got no answer may get one the next time: not when there was no connection at all, which is
/// better said at once, and not when the registry was silent for long already.
fn is_passing(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_timeout() && !error.is_redirect() && !error.is_builder()
}

/// How long to wait before asking again after an answer that may be another one then; none when it will not be, or
/// not soon.
fn pause(response: &Response, otherwise: Duration) -> Option<Duration> {
    let status = response.status();
    if !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    match wanted_pause(response) {
        None => Some(otherwise),
        Some(wanted) => (wanted <= MAX_RETRY_AFTER).then_some(wanted),
    }
}

/// How long an answer asks to wait.
fn wanted_pause(response: &Response) -> Option<Duration> {
    let wanted = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    retry_after(wanted, SystemTime::now())
}

/// The time until what a `Retry-After` names: a number of seconds, or a date.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What an answer that refuses something says: its status, its messages, and how long to wait if it asks for that.
pub(super) async fn refusal(response: Response) -> String {
    let (status, wait) = (response.status(), wanted_pause(&response));
    let mut text = describe(status, &error_body(response).await);
    if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
        text.push_str(&format!(", to be tried again in {} seconds", wait.as_secs()));
    }
    text
}

/// The beginning of the body.
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
    let messages = serde_json::from_str::<OciEnvelope>(body)
        .map(|document| document.errors)
        .unwrap_or_default();
    let messages: Vec<String> = messages
        .into_iter()
        .map(|error| error.message.replace(|c: char| c.is_control(), " "))
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
    fn waiting_as_asked() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let seconds = |value| retry_after(value, now).map(|wanted| wanted.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:07 GMT"), Some(30));
        assert_eq!(
            seconds("Sun, 06 Nov 1994 08:49:00 GMT"),
            Some(0),
            "that was before"
        );
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-1"), None);
    }

    #[test]
    fn tokens_are_for_what_is_done() {
        let reference: Reference = "a.test/own:1".parse().unwrap();
        let connection = |access| Connection::new(&Registries::default(), &reference, false, access).unwrap();
        assert_eq!(connection(Access::Pull).scopes(), ["repository:own:pull"]);
        let others = ["b", "a", "b"].map(str::to_owned).into_iter();
        assert_eq!(
            connection(Access::Push).also_reading(others).scopes(),
            [
                "repository:own:pull,push",
                "repository:a:pull",
                "repository:b:pull"
            ]
        );
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
