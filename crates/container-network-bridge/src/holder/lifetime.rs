//! How long the holder lives.
//!
//! As long as a helper is connected. Without one it stays while a virtual machine uses a tap device, because the next
//! helper takes the network over; otherwise it waits a minute for that helper and ends. It ends in any case when told
//! to, and when its own socket is gone: then no helper will ever find it.

use std::path::PathBuf;
use std::time::Duration;

use container_ipc::Session;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Counts the connections of helpers.
#[derive(Debug, Clone)]
pub(super) struct Connections(watch::Sender<Vec<u64>>);

impl Connections {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Vec::new()))
    }

    /// Counts `session` until it closes.
    pub(super) fn count(&self, session: &Session) {
        let new = self.0.send_if_modified(|sessions| {
            let new = !sessions.contains(&session.id());
            if new {
                sessions.push(session.id());
            }
            new
        });
        if new {
            let (sessions, session) = (self.0.clone(), session.clone());
            tokio::spawn(async move {
                session.closed().await;
                sessions.send_modify(|sessions| sessions.retain(|&id| id != session.id()));
            });
        }
    }

    /// Ends `stop` when nobody will need this process any more.
    pub(super) async fn watch(self, socket: PathBuf, patience: Duration, stop: CancellationToken) {
        let mut sessions = self.0.subscribe();
        loop {
            if sessions.wait_for(Vec::is_empty).await.is_err() {
                return;
            }
            let somebody = sessions.wait_for(|sessions| !sessions.is_empty());
            if tokio::time::timeout(patience, somebody).await.is_ok() {
                continue;
            }
            if !socket.exists() || !has_ports() {
                tracing::info!("nobody needs the network's namespace any more");
                return stop.cancel();
            }
        }
    }
}

/// Whether the bridge has a port that is somebody's tap device. When it cannot be told, there is one.
fn has_ports() -> bool {
    container_netlink::link_names().map_or(true, |names| names.iter().any(|name| name.starts_with("tap")))
}
