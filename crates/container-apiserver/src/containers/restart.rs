//! Starting containers again: because the user asks, or because their policy says so.

use std::sync::Arc;
use std::time::Duration;

use container_client::Stdio;
use container_client::api::ContainerRestartRequest;
use container_client::runtime::BootstrapRequest;
use container_ipc::Error;
use container_resource::ExitStatus;

use super::Containers;
use super::container::Container;
use super::run::Run;

/// The wait before the first restart in a row; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A container that ran so long did not fail in a row.
const RAN_WELL: Duration = Duration::from_secs(10);

impl Containers {
    /// Stops a container, if it runs, and starts it without anybody's standard streams. One that is deleted on its end
    /// is kept, unless it does not start.
    ///
    /// # Errors
    /// The container is not known, or does not start.
    pub(crate) async fn restart(&self, request: ContainerRestartRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move {
            let kept = container.keep();
            this.stop_one(&container, request.stop_options).await?;
            container.forget_restarts();
            let boot = BootstrapRequest {
                dynamic_env: request.dynamic_env,
                ..BootstrapRequest::default()
            };
            let started = this.start_again(&container, boot).await;
            drop(kept);
            if started.is_err() {
                let _turn = container.life.lock().await;
                let over = !container.is_deleted() && container.current_run().is_none();
                if over && container.ends_deleted() {
                    this.remove(&container).await?;
                }
            }
            started
        };
        self.0.work.finish(operation).await
    }

    async fn start_again(&self, container: &Arc<Container>, request: BootstrapRequest) -> Result<(), Error> {
        self.boot(container, request, Stdio::default()).await?;
        let run = container.live().await?;
        self.start_init(container, &run).await?;
        Ok(())
    }

    /// Has a container's policy decide what comes after its end.
    pub(super) fn ended_by_itself(&self, container: &Arc<Container>, run: &Run, exit: ExitStatus) {
        if run.age() >= RAN_WELL {
            container.forget_restarts();
        }
        if !run.is_asked_to_end() {
            self.follow_policy(container, exit);
        }
    }

    fn follow_policy(&self, container: &Arc<Container>, exit: ExitStatus) {
        let Some(policy) = container.record().configuration.restart_policy else {
            return;
        };
        let retries = container.count_restart();
        if container.bundle.is_held() || !policy.restarts(exit.exit_code, retries) {
            return;
        }
        let (this, container) = (self.clone(), Arc::clone(container));
        let work = self.0.work.clone();
        tokio::spawn(async move {
            tokio::time::sleep(wait(retries)).await;
            let operation = async move {
                // Whoever stopped, started or deleted it meanwhile has decided.
                if !container.bundle.is_held() && container.current_run().is_none() && !container.is_deleted()
                {
                    tracing::info!(id = container.id, retries, "restarting container");
                    this.start_by_itself(&container, exit).await;
                }
                Ok(())
            };
            if let Err(error) = work.finish(operation).await {
                tracing::error!(%error, "failed to restart a container");
            }
        });
    }

    /// Starts a container that was up when the system ended, if its policy says so. `exit` tells how it ended.
    pub(super) fn start_with_system(&self, container: &Arc<Container>, exit: Option<ExitStatus>) {
        let policy = container.record().configuration.restart_policy;
        let (Some(policy), Some(exit)) = (policy, exit) else {
            return;
        };
        if policy.starts_with_system(exit.exit_code, container.bundle.is_held()) {
            let (this, container) = (self.clone(), Arc::clone(container));
            tokio::spawn(async move { this.start_by_itself(&container, exit).await });
        }
    }

    /// Starts a container, continuing its log. One that cannot be started has failed as if it had ended.
    async fn start_by_itself(&self, container: &Arc<Container>, exit: ExitStatus) {
        let boot = BootstrapRequest {
            keep_log: true,
            ..BootstrapRequest::default()
        };
        if let Err(error) = self.start_again(container, boot).await {
            tracing::error!(id = container.id, %error, "failed to restart container");
            if !container.is_deleted() {
                self.follow_policy(container, container.exit().unwrap_or(exit));
            }
        }
    }
}

fn wait(retries: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << retries.min(16)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute() {
        let waits: Vec<_> = [0, 1, 5, 9, 10, 1000].into_iter().map(wait).collect();
        let milliseconds = [100, 200, 3200, 51_200, 60_000, 60_000];
        assert_eq!(waits, milliseconds.map(Duration::from_millis));
    }
}
