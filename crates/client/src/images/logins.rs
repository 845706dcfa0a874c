//! Logins at registries, which the image service keeps because it is the one that shows them (behaviour reference, 20).

use std::time::Duration;

use container_ipc::{Error, Route};
use container_resource::reference::registry_host;
use container_resource::{RegistryResource, Secret};
use serde::{Deserialize, Serialize};

use super::client::ImagesClient;
use super::scheme::Scheme;
use crate::api::routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

routes! {
    /// Stores a login after the registry has taken it.
    RegistryLogin = "registryLogin", None, RegistryLoginRequest => ();
    /// Forgets a login.
    RegistryLogout = "registryLogout", MINUTE, RegistryLogoutRequest => ();
    /// Every login, without its secret.
    RegistryList = "registryList", MINUTE, () => Vec<RegistryResource>;
}

/// What [`RegistryLogin`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryLoginRequest {
    /// The host, with its port if it has one.
    pub host: String,
    /// Who logs in.
    pub username: String,
    /// Their password or access token.
    pub password: Secret,
    /// Whether the registry is spoken to over http.
    pub insecure_flag: bool,
}

/// What [`RegistryLogout`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryLogoutRequest {
    /// The host, with its port if it has one.
    pub host: String,
}

impl ImagesClient {
    /// Logs `username` in at the registry that a user calls `server`.
    ///
    /// # Errors
    /// `invalidArgument` with the text `invalid host <host>`; the registry cannot be reached or refuses, and nothing is
    /// stored then; the login cannot be stored.
    pub async fn login(
        &self,
        server: &str,
        username: String,
        password: Secret,
        scheme: Scheme,
        dns_domain: Option<&str>,
    ) -> Result<(), Error> {
        let host = registry_host(server);
        let request = RegistryLoginRequest {
            host: host.to_owned(),
            username,
            password,
            insecure_flag: scheme.is_http(host, dns_domain),
        };
        self.client.call::<RegistryLogin>(request).await
    }

    /// Forgets the login at the registry that a user calls `server`. That there is none is fine.
    ///
    /// # Errors
    /// The store of logins refuses.
    pub async fn logout(&self, server: &str) -> Result<(), Error> {
        let host = registry_host(server).to_owned();
        self.client
            .call::<RegistryLogout>(RegistryLogoutRequest { host })
            .await
    }

    /// The stored logins, ordered by host.
    ///
    /// # Errors
    /// The store of logins cannot be read.
    pub async fn logins(&self) -> Result<Vec<RegistryResource>, Error> {
        self.client.call::<RegistryList>(()).await
    }
}
