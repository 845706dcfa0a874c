//! Logging in and out (behaviour reference, 20).

use std::time::Duration;

use container_resource::{RegistryResource, Secret};
use reqwest::Url;

use super::connection::Connection;
use super::environment::Registries;
use super::error::RegistryError;
use super::identity::Identity;
use super::secrets::Secrets;
use crate::error::{Error, Result};

/// How often a registry that fails is asked again.
const RETRIES: u32 = 10;

/// The pause between two tries.
const RETRY_DELAY: Duration = Duration::from_millis(300);

impl Registries {
    /// Shows the registry `host` (with its port if it has one) who `user` is, over http if it is `insecure`, and stores
    /// the login when the registry takes it.
    ///
    /// # Errors
    ///
    /// `host` is none; the registry cannot be reached or refuses; the login cannot be stored.
    pub async fn login(&self, host: &str, user: &str, secret: Secret, insecure: bool) -> Result<()> {
        check_host(host)?;
        let settings = Self {
            retries: RETRIES,
            retry_delay: self.retry_delay.min(RETRY_DELAY),
            ..self.clone()
        };
        let identity = Identity::Password {
            user: user.to_owned(),
            secret: secret.clone(),
        };
        Connection::for_login(settings, host, insecure, identity)?
            .ping()
            .await?;
        let (host, user) = (host.to_owned(), user.to_owned());
        self.with_secrets(move |secrets| secrets.set(&host, &user, &secret))
            .await
    }

    /// Forgets the login at `host`. That there is none is fine.
    ///
    /// # Errors
    ///
    /// The store of logins refuses.
    pub async fn logout(&self, host: &str) -> Result<()> {
        let host = host.to_owned();
        self.with_secrets(move |secrets| secrets.remove(&host)).await
    }

    /// The stored logins, ordered by host.
    ///
    /// # Errors
    ///
    /// The store of logins cannot be read.
    pub async fn logins(&self) -> Result<Vec<RegistryResource>> {
        self.with_secrets(|secrets| secrets.list()).await
    }

    /// Uses the store of logins where that may block.
    async fn with_secrets<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Secrets) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let Some(secrets) = self.secrets.clone() else {
            return Err(RegistryError::Secrets("there is no place for logins".to_owned()).into());
        };
        tokio::task::spawn_blocking(move || work(&*secrets))
            .await
            .map_err(|_| Error::Cancelled)?
    }
}

/// Refuses what is not the name of a host, with or without a port.
fn check_host(host: &str) -> Result<(), RegistryError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:[]".contains(c);
    let url = Url::parse(&format!("https://{host}/"));
    match url {
        Ok(url) if url.has_host() && host.chars().all(plain) => Ok(()),
        _ => Err(RegistryError::InvalidHost(host.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["ghcr.io", "localhost:5000", "[::1]:5000", "10.0.0.1", "my_host"] {
            assert!(check_host(host).is_ok(), "{host}");
        }
        for host in [
            "",
            ":5000",
            "https://ghcr.io",
            "ghcr.io/team",
            "me@ghcr.io",
            "a b",
            "a:b",
            "a?b",
        ] {
            let error = check_host(host).unwrap_err().to_string();
            assert_eq!(error, format!("invalid host {host}"));
        }
    }

    #[tokio::test]
    async fn nowhere_to_keep_a_login() {
        let error = Registries::default().logins().await.unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot use the stored logins: there is no place for logins"
        );
    }
}
