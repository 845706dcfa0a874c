//! Sockets of a container's network, from the network's helper.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use container_client::NetworkClient;
use container_client::network::{MAX_SOCKETS, SocketKind};
use container_ipc::Error;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time;

use crate::connector::Connector;

/// How often a helper that is gone is looked for.
const RETRY: Duration = Duration::from_millis(100);

/// Gives sockets one by one, and gets them in batches. A helper that died is waited for: its next one does as well.
#[derive(Debug)]
pub struct SocketPool {
    runtime_directory: PathBuf,
    plugin: String,
    network: String,
    spare: Mutex<HashMap<SocketKind, Vec<OwnedFd>>>,
    client: AsyncMutex<Option<NetworkClient>>,
}

impl SocketPool {
    /// Sockets of `network`, which the helper `plugin` makes.
    pub fn new(runtime_directory: PathBuf, plugin: String, network: String) -> Self {
        Self {
            runtime_directory,
            plugin,
            network,
            spare: Mutex::default(),
            client: AsyncMutex::default(),
        }
    }

    fn spare(&self) -> MutexGuard<'_, HashMap<SocketKind, Vec<OwnedFd>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, kind: SocketKind) -> Option<OwnedFd> {
        self.spare().get_mut(&kind)?.pop()
    }

    async fn fetch(
        &self,
        client: &mut Option<NetworkClient>,
        kind: SocketKind,
    ) -> Result<Vec<OwnedFd>, Error> {
        let connected = match client.take() {
            Some(connected) => connected,
            None => NetworkClient::connect(&self.runtime_directory, &self.plugin, &self.network).await?,
        };
        let sockets = connected.sockets(kind, MAX_SOCKETS).await?;
        *client = Some(connected);
        Ok(sockets)
    }
}

impl Connector for SocketPool {
    /// Whoever asks sets the limit of time.
    async fn socket(&self, kind: SocketKind) -> io::Result<OwnedFd> {
        if let Some(socket) = self.take(kind) {
            return Ok(socket);
        }
        let mut client = self.client.lock().await;
        loop {
            // Whoever had the turn before may have got some.
            if let Some(socket) = self.take(kind) {
                return Ok(socket);
            }
            match self.fetch(&mut client, kind).await {
                Ok(sockets) if sockets.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sockets) => self.spare().entry(kind).or_default().extend(sockets),
                Err(error) => {
                    tracing::debug!(network = self.network, %error, "failed to get sockets of the network");
                    time::sleep(RETRY).await;
                }
            }
        }
    }
}
