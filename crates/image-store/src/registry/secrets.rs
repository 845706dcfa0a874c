//! Where logins are kept: the seam between what the platforms have for secrets (behaviour reference, 20.3).

#[cfg(not(target_os = "macos"))]
mod file;
#[cfg(target_os = "macos")]
mod keychain;

use std::fmt;

use container_resource::{RegistryResource, Secret};

use crate::error::Result;

#[cfg(not(target_os = "macos"))]
pub use file::CredentialsFile as UserSecrets;
#[cfg(target_os = "macos")]
pub use keychain::Keychain as UserSecrets;

/// A store of at most one login per registry. Its calls may block.
pub trait Secrets: fmt::Debug + Send + Sync {
    /// Stores the login of `user` at `host`, in place of any other.
    ///
    /// # Errors
    ///
    /// The store refuses.
    fn set(&self, host: &str, user: &str, secret: &Secret) -> Result<()>;

    /// The user and the secret for `host`.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn get(&self, host: &str) -> Result<Option<(String, Secret)>>;

    /// Forgets the login at `host`. That there is none is fine.
    ///
    /// # Errors
    ///
    /// The store refuses.
    fn remove(&self, host: &str) -> Result<()>;

    /// Every login, ordered by host.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn list(&self) -> Result<Vec<RegistryResource>>;
}
