//! What health checks find out, as it changes.

use std::sync::Arc;

use container_resource::event::Action;

use super::Containers;
use super::container::Container;
use super::run::Run;

impl Containers {
    /// Takes over what the helper finds out about the container's health, as long as the helper lives.
    pub(super) fn follow_health(&self, container: &Arc<Container>, run: &Arc<Run>) {
        if container.record().configuration.health_check.is_none() {
            return;
        }
        let (this, container, run) = (self.clone(), Arc::clone(container), Arc::clone(run));
        tokio::spawn(async move {
            let mut last = None;
            // It fails when the helper ends.
            while let Ok(reply) = run.client.health(last.map(|(seen, _)| seen)).await {
                let status = reply.health.as_ref().map(|health| health.status);
                container.report_health(&run, reply.health);
                if let Some((_, before)) = last
                    && let Some(status) = status
                    && before != Some(status)
                {
                    let attribute = ("healthStatus", status.name().to_owned());
                    this.tell(&container, Action::HealthStatus, Some(attribute));
                }
                last = Some((reply.seen, status));
            }
        });
    }
}
