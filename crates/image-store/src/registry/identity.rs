//! Who is asking: the order in which credentials are looked for (behaviour reference, 19.4 and 20.4).

use std::path::Path;

use container_resource::Secret;
use tokio::io::AsyncReadExt;

use super::docker_config::{self, Source};
use super::environment::Registries;
use super::helper;
use crate::error::Error;

/// The most of a `config.json` that is read, in bytes.
const MAX_CONFIG: u64 = 1 << 20;

/// What identifies a user towards one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// A name, and a password or an access token that is used as one.
    Password {
        /// The name.
        user: String,
        /// The password.
        secret: Secret,
    },
    /// What Docker calls an identity token: the registry's token service takes it in place of name and password.
    RefreshToken(Secret),
    /// A token for the registry itself.
    RegistryToken(Secret),
}

/// What a look-up came to.
#[derive(Debug, Default)]
pub(super) struct Lookup {
    /// What is to be shown; none means to ask as nobody.
    pub(super) identity: Option<Identity>,
    /// Places that could not be looked into, and why.
    pub(super) problems: Vec<String>,
}

impl Registries {
    /// What to show `host`: the credentials of the environment, else a stored login, else what Docker's configuration
    /// has. A place that cannot be read is passed over.
    pub(super) async fn identity(&self, host: &str) -> Lookup {
        let mut lookup = Lookup::default();
        if let Some(credentials) = self.credentials.as_ref().filter(|found| found.host == host) {
            lookup.identity = Some(Identity::Password {
                user: credentials.user.clone(),
                secret: credentials.secret.clone(),
            });
            return lookup;
        }
        match self.stored(host).await {
            Ok(Some(identity)) => {
                lookup.identity = Some(identity);
                return lookup;
            }
            Ok(None) => {}
            Err(error) => lookup.problems.push(error.to_string()),
        }
        let Some(path) = &self.docker_config else {
            return lookup;
        };
        match configured(path, host).await {
            Ok(sources) => {
                for source in sources {
                    match given(source).await {
                        Ok(None) => {}
                        Ok(identity) => {
                            lookup.identity = identity;
                            break;
                        }
                        Err(problem) => lookup.problems.push(problem),
                    }
                }
            }
            Err(problem) => lookup.problems.push(problem),
        }
        for problem in &lookup.problems {
            tracing::warn!("looking for credentials for {host}: {problem}");
        }
        lookup
    }

    async fn stored(&self, host: &str) -> Result<Option<Identity>, Error> {
        let Some(secrets) = self.secrets.clone() else {
            return Ok(None);
        };
        let host = host.to_owned();
        let found = tokio::task::spawn_blocking(move || secrets.get(&host)).await;
        let found = found.map_err(|_| Error::Cancelled)??;
        Ok(found.map(|(user, secret)| Identity::Password { user, secret }))
    }
}

/// What Docker's configuration at `path` says about `host`, best first; nothing when there is no such file.
async fn configured(path: &Path, host: &str) -> Result<Vec<Source>, String> {
    let failed = |reason: String| format!("{}: {reason}", path.display());
    let file = match tokio::fs::File::open(path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error.to_string())),
    };
    let mut bytes = Vec::new();
    let read = file.take(MAX_CONFIG).read_to_end(&mut bytes).await;
    read.map_err(|error| failed(error.to_string()))?;
    docker_config::sources(&bytes, host).map_err(failed)
}

async fn given(source: Source) -> Result<Option<Identity>, String> {
    match source {
        Source::Written(identity) => Ok(Some(identity)),
        Source::Helper { name, server } => helper::get(&name, &server).await,
    }
}
