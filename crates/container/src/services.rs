//! Where the services of this user are, and connections to them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use container_client::api::PingReply;
use container_client::{ApiClient, ImagesClient};
use container_config::{Roots, SystemConfiguration};
use container_ipc::{Error, ErrorCode, runtime_dir};

use crate::error::Failure;

/// How long a command waits for the API server to say where its roots are.
const PING: Duration = Duration::from_secs(10);

/// How long the image service, which the API server starts again when it has ended, may take to be back.
const RETURN: Duration = Duration::from_secs(5);

/// How often it is tried.
const RETRY: Duration = Duration::from_millis(20);

/// The installation that this command talks to.
#[derive(Debug, Clone)]
pub struct Services {
    /// Its directories, as far as this process knows them.
    pub roots: Roots,
}

impl Services {
    /// The installation that the environment names.
    ///
    /// # Errors
    /// The directories cannot be found out.
    pub fn from_environment() -> Result<Self, Failure> {
        let roots = Roots::from_environment().map_err(|error| Failure::error(error.to_string()))?;
        Ok(Self { roots })
    }

    /// The directory of the sockets.
    pub fn runtime_dir(&self) -> PathBuf {
        runtime_dir(&self.roots.app)
    }

    /// Connects to the API server.
    ///
    /// # Errors
    /// It does not run.
    pub async fn api(&self) -> Result<ApiClient, Error> {
        ApiClient::connect(&self.runtime_dir()).await
    }

    /// Connects to the image service.
    ///
    /// # Errors
    /// It does not run, nor is there an API server that starts it.
    pub async fn images(&self) -> Result<ImagesClient, Error> {
        let end = Instant::now() + RETURN;
        loop {
            match ImagesClient::connect(&self.runtime_dir()).await {
                Err(error) if error.code == ErrorCode::Interrupted && Instant::now() < end => {
                    if self.api().await.is_err() {
                        return Err(error);
                    }
                }
                connected => return connected,
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// The configuration of the installation that the API server runs in.
    ///
    /// # Errors
    /// The server does not answer, or a configuration file is malformed.
    pub async fn configuration(&self, api: &ApiClient) -> Result<SystemConfiguration, Failure> {
        let reply = api.ping(PING).await.map_err(|error| match error.code {
            ErrorCode::Timeout => Error::timeout("unable to retrieve application data root from API server"),
            _ => error,
        })?;
        let PingReply {
            app_root,
            install_root,
            log_root,
            ..
        } = reply;
        let roots = Roots {
            app: app_root,
            install: install_root,
            log: log_root,
        };
        container_config::load(&roots).map_err(|error| Failure::error(error.to_string()))
    }
}
