//! `container registry login`: store credentials after checking them.

use clap::Args;
use container_client::images::{Scheme, UnsupportedScheme};
use container_resource::Secret;

use super::prompt;
use crate::error::{Failure, Outcome};
use crate::log;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::registry::RegistryFlags;

/// Arguments of `container registry login`.
#[derive(Args, Debug, Clone)]
pub struct Login {
    /// Read the password from stdin (needs --username).
    #[arg(long)]
    pub password_stdin: bool,
    /// User name; prompted when empty.
    #[arg(short = 'u', long, value_name = "username")]
    pub username: Option<String>,
    /// Registry host.
    #[arg(value_name = "server")]
    pub server: String,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Login {
    pub(super) async fn run(self) -> Outcome {
        prompt::interruptible(self.log_in()).await
    }

    async fn log_in(self) -> Outcome {
        let username = self.username.filter(|name| !name.is_empty());
        if self.password_stdin && username.is_none() {
            return Err(Failure::error("must provide --username with --password-stdin"));
        }
        let scheme: Scheme = self
            .registry
            .scheme
            .parse()
            .map_err(|error: UnsupportedScheme| Failure::error(error.to_string()))?;
        // Nobody should type a password that there is nobody to give to.
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let piped = if self.password_stdin {
            prompt::piped_password().await?
        } else {
            Secret::default()
        };
        let username = match username {
            Some(username) => username,
            None => prompt::username(&self.server).await?,
        };
        let password = if piped.is_empty() {
            prompt::password().await?
        } else {
            piped
        };
        let domain = system.dns.domain.as_deref();
        images
            .login(&self.server, username, password, scheme, domain)
            .await?;
        log::info("Login succeeded", &[]);
        Ok(0)
    }
}
