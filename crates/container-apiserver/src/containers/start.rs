//! Starting a container's helper and virtual machine (behaviour reference, 11.5).

use std::sync::Arc;

use container_client::RuntimeClient;
use container_client::Stdio;
use container_client::api::ContainerBootstrapRequest;
use container_client::phases::{Phases, Stopwatch};
use container_client::runtime::BootstrapRequest;
use container_client::services;
use container_client::stdio_log::Limits;
use container_ipc::{Endpoint, Error, ErrorCode};
use container_resource::{ContainerState, ContainerStatus};

use super::Containers;
use super::container::Container;
use super::not_found;
use super::run::Run;

impl Containers {
    /// Starts the helper and boots the virtual machine. Does nothing when it is up already.
    ///
    /// # Errors
    /// The container is not known, or its virtual machine does not come up; then nothing of it is left.
    pub(crate) async fn bootstrap(
        &self,
        request: ContainerBootstrapRequest,
        stdio: Stdio,
    ) -> Result<Phases, Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        self.0
            .work
            .finish(async move {
                container.settled().await;
                container.forget_restarts();
                let boot = BootstrapRequest {
                    dynamic_env: request.dynamic_env,
                    ..BootstrapRequest::default()
                };
                this.boot(&container, boot, stdio).await
            })
            .await
    }

    /// Boots a container unless it is up. The limits of its log are filled in.
    pub(super) async fn boot(
        &self,
        container: &Arc<Container>,
        request: BootstrapRequest,
        stdio: Stdio,
    ) -> Result<Phases, Error> {
        let _turn = container.life.lock().await;
        if container.is_deleted() {
            return Err(not_found(&container.id));
        }
        if container.current_run().is_some() {
            return Ok(Phases::default());
        }
        let mut watch = Stopwatch::default();
        container.bundle.clear_exit()?;
        container.bundle.release()?;
        let network_plugins = self.ready_networks(container).await?;
        let mounts = &container.record().configuration.mounts;
        self.0.volumes.claim(&container.id, mounts)?;
        let launched = self.launch(container).await;
        let run = Arc::new(launched.inspect_err(|_| self.0.volumes.release(&container.id))?);
        container.begin(Arc::clone(&run));
        watch.lap("spawn");

        let request = BootstrapRequest {
            log_limits: self.log_limits(),
            network_plugins,
            ..request
        };
        match run.client.bootstrap(request, stdio).await {
            Ok(phases) => {
                run.mark_booted();
                watch.absorb(phases);
            }
            Err(error) => {
                tracing::error!(id = container.id, %error, "failed to boot container");
                self.clean_up(container, &run, None).await;
                return Err(self.explain(container, error));
            }
        }
        let status = run.client.state().await.unwrap_or_default();
        let running = ContainerStatus {
            state: ContainerState::Running,
            networks: status.networks,
            published_ports: status.published_ports,
            ..ContainerStatus::default()
        };
        container.report(&run, running);
        watch.lap("state");
        self.watch(container, &run);
        self.follow_health(container, &run);
        tracing::info!(id = container.id, "booted container");
        Ok(watch.finish())
    }

    fn log_limits(&self) -> Limits {
        let logs = &self.0.configuration.logs;
        Limits {
            file_size: logs.max_size.bytes(),
            files: logs.max_files,
        }
    }

    /// Starts the helper's process and connects to it.
    pub(super) async fn launch(&self, container: &Container) -> Result<Run, Error> {
        let id = &container.id;
        let handler = &container.record().configuration.runtime_handler;
        let label = services::helper_label(handler, Some(id));
        let endpoint = self.endpoint(container);
        let mut arguments = vec!["start".to_owned(), "--root".to_owned()];
        arguments.push(container.bundle.path().display().to_string());
        arguments.extend(["--uuid".to_owned(), id.clone()]);
        self.0
            .jobs
            .start(&label, handler, arguments, Some(&endpoint))
            .await?;
        match RuntimeClient::connect(&self.0.runtime_directory, handler, id).await {
            Ok(client) => Ok(Run::new(client, label)),
            Err(error) => {
                self.0.jobs.remove(&label).await;
                Err(error.wrap("failed to get endpoint for runtime service"))
            }
        }
    }

    /// Where the container's helper listens.
    pub(super) fn endpoint(&self, container: &Container) -> Endpoint {
        let handler = &container.record().configuration.runtime_handler;
        Endpoint::new(
            &self.0.runtime_directory,
            &services::runtime(handler, &container.id),
        )
    }

    /// Says where to look when a helper died instead of telling what is wrong.
    fn explain(&self, container: &Container, error: Error) -> Error {
        let silent = error
            .cause
            .as_ref()
            .is_some_and(|cause| cause.code == ErrorCode::Interrupted);
        let handler = &container.record().configuration.runtime_handler;
        if !silent {
            return error;
        }
        let log = self
            .0
            .jobs
            .log_file(&services::helper_label(handler, Some(&container.id)));
        let text = format!(
            "{handler} of container {} ended unexpectedly, see {}",
            container.id,
            log.display()
        );
        Error::internal(text).with_cause(error)
    }
}
