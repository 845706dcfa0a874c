//! Announcements by way of inotify here and `container-share-fs`.

mod inotify;
mod pending;

use std::convert::Infallible;
use std::future::pending as forever;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use container_ipc::{Error, ErrorCode};
use container_sandbox::Agent;
use container_sandbox::proto::{AnnounceChangesRequest, AnnouncedChange};
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::service::Runtime;
use crate::shares;
use inotify::Watcher;

/// How long changes are collected before they are announced: a program that writes a file makes several.
const WINDOW: Duration = Duration::from_millis(40);
/// The same while the container itself makes all changes that are seen, of which nobody needs to be told.
const OWN_WINDOW: Duration = Duration::from_secs(1);
/// Changes that are announced at a time.
const BATCH: usize = 256;
/// How long the agent may take for them.
const LIMIT: Duration = Duration::from_secs(60);

/// Something of the host that the guest sees.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    /// Where it is on the host.
    pub source: PathBuf,
    /// The directory in the guest that paths are relative to.
    pub root: String,
    /// The name below `root` of a single file; empty for a directory.
    pub file: PathBuf,
}

/// Announces changes from the start of the init process on.
pub(crate) async fn keep_announcing(runtime: &Arc<Runtime>, agent: &Agent) -> Infallible {
    let shared = shares::shared(&runtime.container.configuration);
    if shared.is_empty() {
        return forever().await;
    }
    runtime.init_started().await;
    match announce(agent, shared).await {
        Ok(never) => match never {},
        Err(error) if error.code == ErrorCode::Unsupported => {
            tracing::debug!(%error, "the guest is not told of the host's changes");
        }
        Err(error) => tracing::warn!(%error, "the guest is not told of the host's changes any more"),
    }
    forever().await
}

async fn announce(agent: &Agent, shared: Vec<Shared>) -> Result<Infallible, Error> {
    let failed =
        |error: io::Error| Error::internal(format!("failed to watch the host's directories: {error}"));
    // A large tree takes a moment, in which the container runs already.
    let (sources, over) = (shared.clone(), CancellationToken::new());
    let _over_with_this = over.clone().drop_guard();
    let watcher = blocking(move || Watcher::start(&sources, over)).await;
    let mut watcher = watcher.map_err(failed)?;
    // SAFETY: the descriptor is owned, by this among others, and an `Arc<OwnedFd>` always has the same one.
    let events = unsafe { AsyncFd::register(watcher.events()) }.map_err(|error| failed(error.into()))?;
    let mut window = WINDOW;
    loop {
        events.readable().await.map_err(failed)?.clear_ready();
        sleep(window).await;
        let read = blocking(move || watcher.read().map(|changes| (watcher, changes))).await;
        let (back, changes) = read.map_err(failed)?;
        watcher = back;
        let messages: Vec<_> = changes
            .iter()
            .map(|change| {
                let shared = &shared[change.place.share];
                change.message(&shared.root, &shared.file)
            })
            .collect();
        if messages.is_empty() {
            continue;
        }
        let mut announced = 0;
        for batch in messages.chunks(BATCH) {
            announced += send(agent, batch.to_vec()).await?;
        }
        window = if announced == 0 {
            (window * 2).min(OWN_WINDOW)
        } else {
            WINDOW
        };
    }
}

async fn send(agent: &Agent, changes: Vec<AnnouncedChange>) -> Result<u32, Error> {
    let reply = timeout(LIMIT, agent.announce_changes(AnnounceChangesRequest { changes })).await;
    let reply =
        reply.unwrap_or_else(|_| Err(Error::new(ErrorCode::Timeout, "the guest agent does not answer")));
    reply.map(|reply| reply.announced)
}

/// Runs what may take long beside everything else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
