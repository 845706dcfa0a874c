//! The end of a container, whoever caused it (behaviour reference, 11.6).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use container_client::services;
use container_ipc::{Endpoint, Error, ErrorCode};
use container_resource::ExitStatus;
use container_resource::event::Action;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Containers;
use super::container::Container;
use super::run::{LOST, Run};
use crate::whole;
use crate::work::blocking;

/// How long a helper may take to answer that it ends, and then to end.
const LAST_ANSWER: Duration = Duration::from_secs(2);

impl Containers {
    /// Cleans up after `run` when it has ended.
    pub(super) fn watch(&self, container: &Arc<Container>, run: &Arc<Run>) {
        let (this, container, run) = (self.clone(), Arc::clone(container), Arc::clone(run));
        tokio::spawn(async move {
            let told = match run.client.stopped().await {
                Ok(status) => Some(status),
                // Only an end of the connection says that the helper is gone.
                Err(_) => {
                    run.client.closed().await;
                    None
                }
            };
            let work = this.0.work.clone();
            let cleaned = work.finish(async move {
                let ended = {
                    let _turn = container.life.lock().await;
                    this.clean_up(&container, &run, told).await
                };
                if let Some(status) = ended {
                    this.ended_by_itself(&container, &run, status);
                }
                Ok(())
            });
            if let Err(error) = cleaned.await {
                tracing::error!(%error, "failed to clean up after a container");
            }
        });
    }

    /// Ends the helper, whatever it is doing, and marks the container stopped; deletes it if it was created with
    /// `--rm`. The caller has the container's turn.
    ///
    /// `told` is what the helper said; if it said nothing it may have written it down. Gives how the container ended,
    /// `None` when somebody else has cleaned up.
    pub(super) async fn clean_up(
        &self,
        container: &Arc<Container>,
        run: &Arc<Run>,
        told: Option<ExitStatus>,
    ) -> Option<ExitStatus> {
        if !container.is_current(run) {
            return None;
        }
        let obeys = matches!(timeout(LAST_ANSWER, run.client.shutdown()).await, Ok(Ok(())));
        // Its connections end with the process.
        let gone = obeys && timeout(LAST_ANSWER, run.client.closed()).await.is_ok();
        // A helper that said how its container ended, and then stays, has a client that is slow to read the last
        // output. The next start of the container, or the end of the system, ends it too.
        if gone || !obeys || told.is_none() {
            self.0.jobs.remove(&run.label).await;
        }
        remove_socket(&self.endpoint(container));

        let written = container.bundle.load_exit().unwrap_or_else(|error| {
            tracing::warn!(id = container.id, %error, "failed to read how a container ended");
            None
        });
        let status = told.or(written).unwrap_or_else(|| run.lost());
        if written.is_none()
            && let Err(error) = container.bundle.store_exit(status)
        {
            tracing::warn!(id = container.id, %error, "failed to store how a container ended");
        }
        container.end(status);
        self.0.volumes.release(&container.id);
        tracing::info!(id = container.id, code = status.exit_code, "container stopped");
        let code = status.exit_code.to_string();
        self.tell(container, Action::Die, Some(("exitCode", code)));
        if container.ends_deleted()
            && let Err(error) = self.remove(container).await
        {
            tracing::error!(id = container.id, %error, "failed to delete a stopped container");
        }
        run.end(status);
        Some(status)
    }

    /// Ends a helper that was there for one call, whatever it is doing.
    pub(super) async fn dismiss(&self, container: &Container, run: &Run) {
        if matches!(timeout(LAST_ANSWER, run.client.shutdown()).await, Ok(Ok(()))) {
            // Its connections end with the process.
            let _ = timeout(LAST_ANSWER, run.client.closed()).await;
        }
        self.0.jobs.remove(&run.label).await;
        remove_socket(&self.endpoint(container));
    }

    /// Deletes a stopped container. The caller has its turn. What it gives ends when the disk is free again, which not
    /// everybody has to wait for.
    pub(super) async fn remove(&self, container: &Arc<Container>) -> Result<JoinHandle<()>, Error> {
        let bundle = container.bundle.clone();
        let removed = blocking(move || whole::take_name(bundle.path()).map_err(Error::from)).await;
        let removed = removed.map_err(|error| match error.code {
            ErrorCode::Unknown => Error::internal(format!("failed to remove the bundle: {}", error.message)),
            _ => error,
        })?;
        container.delete();
        self.0.table.remove(container);
        tracing::info!(id = container.id, "deleted container");
        self.tell(container, Action::Destroy, None);
        let log = self.log_to_remove(container);
        Ok(tokio::task::spawn_blocking(move || {
            if let Some(log) = log {
                let _ = std::fs::remove_file(log);
            }
            whole::remove(&removed);
        }))
    }

    /// The log of a deleted container's helper, unless it may tell why its machine was lost or did not even come up.
    fn log_to_remove(&self, container: &Container) -> Option<PathBuf> {
        let handler = &container.record().configuration.runtime_handler;
        let log = self
            .0
            .jobs
            .log_file(&services::helper_label(handler, Some(&container.id)));
        let is_empty = std::fs::metadata(&log).is_ok_and(|log| log.len() == 0);
        let ended_well = container.exit().is_some_and(|exit| exit.exit_code != LOST);
        (ended_well || is_empty).then_some(log)
    }
}

/// Removes the socket of a helper that is gone.
pub(super) fn remove_socket(endpoint: &Endpoint) {
    let _ = std::fs::remove_file(endpoint.socket_path());
}
