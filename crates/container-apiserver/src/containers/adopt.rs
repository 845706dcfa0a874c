//! Taking over the helpers that an earlier server left running.

use std::sync::Arc;
use std::time::Duration;

use container_client::{RuntimeClient, services};
use container_resource::ContainerState;

use super::Containers;
use super::container::Container;
use super::end::remove_socket;
use super::load::was_started;
use super::run::{Run, lost_unseen};

/// How often a helper that does not answer is asked again.
const PAUSE: Duration = Duration::from_secs(10);

impl Containers {
    /// Looks for the helper of every container at the same time. Live ones are taken over; containers without one are
    /// stopped, and those created with `--rm` are deleted, as the earlier server would have done.
    pub(crate) fn adopt_all(&self) {
        for container in self.0.table.all() {
            let this = self.clone();
            tokio::spawn(async move { this.adopt(container).await });
        }
    }

    async fn adopt(&self, container: Arc<Container>) {
        let turn = container.life.lock().await;
        let handler = &container.record().configuration.runtime_handler;
        let label = services::helper_label(handler, Some(&container.id));
        let connected = RuntimeClient::connect(&self.0.runtime_directory, handler, &container.id).await;
        let Ok(client) = connected else {
            self.settle_stopped(&container, &label).await;
            return;
        };
        let run = Arc::new(Run::new(client, label));
        // Or it was booting for a server that is gone, which its answer will tell.
        run.mark_booted();
        container.begin(Arc::clone(&run));
        if let Err(error) = self
            .0
            .volumes
            .claim(&container.id, &container.record().configuration.mounts)
        {
            tracing::error!(id = container.id, %error, "adopted a container whose volume another one has");
        }
        container.settle();
        drop(turn);
        self.watch(&container, &run);
        self.follow_health(&container, &run);
        self.ask(&container, &run).await;
    }

    /// Nobody answers: the container has ended.
    async fn settle_stopped(&self, container: &Arc<Container>, label: &str) {
        // A process that does not listen any more is no use to anyone.
        self.0.jobs.remove(label).await;
        remove_socket(&self.endpoint(container));
        let exit = container
            .exit()
            .or_else(|| was_started(&container.bundle).then(lost_unseen));
        container.ended_before(exit);
        container.settle();
        self.start_with_system(container, exit);
        if container.ends_deleted()
            && let Err(error) = self.remove(container).await
        {
            tracing::error!(id = container.id, %error, "failed to delete a stopped container");
        }
    }

    /// Finds out what an adopted helper is doing, however long it takes to answer. It can be killed meanwhile.
    async fn ask(&self, container: &Arc<Container>, run: &Arc<Run>) {
        let closed = run.client.closed();
        tokio::pin!(closed);
        let mut attempts = tokio::time::interval(PAUSE);
        loop {
            attempts.tick().await;
            let state = tokio::select! {
                state = run.client.state() => state,
                () = &mut closed => return,
            };
            match state {
                Ok(status) if status.state == ContainerState::Stopped => {
                    // It never got to boot, or has ended and nobody told it to go.
                    let _turn = container.life.lock().await;
                    self.clean_up(container, run, None).await;
                    return;
                }
                Ok(status) => {
                    tracing::info!(id = container.id, state = %status.state, "adopted container");
                    if status.started_date.is_some() {
                        run.mark_started();
                    }
                    container.report(run, status);
                    return;
                }
                Err(error) => tracing::warn!(id = container.id, %error, "adopted helper does not answer"),
            }
        }
    }
}
