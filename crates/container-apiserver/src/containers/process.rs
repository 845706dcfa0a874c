//! The processes of a container (behaviour reference, 14.1 and 27.3).

use std::sync::Arc;
use std::time::Duration;

use container_client::Stdio;
use container_client::api::{ContainerCreateProcessRequest, ContainerResizeRequest, ProcessReference};
use container_client::phases::Phases;
use container_client::runtime::CreateProcessRequest;
use container_ipc::Error;
use container_resource::ExitStatus;
use container_resource::event::Action;
use container_resource::time::now;
use tokio::time::timeout;

use super::container::{Container, no_runtime_client};
use super::run::Run;
use super::{Containers, not_found};

impl Containers {
    /// Adds a process to a running container.
    ///
    /// # Errors
    /// The container is not known or does not run, or the id is taken.
    pub(crate) async fn create_process(
        &self,
        request: ContainerCreateProcessRequest,
        stdio: Stdio,
    ) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        if request.process_identifier.is_empty() {
            return Err(Error::invalid_argument("process ID cannot be empty"));
        }
        let operation = async move {
            let run = container.live().await?;
            let ContainerCreateProcessRequest {
                process_identifier: id,
                process_config,
                ..
            } = request;
            let request = CreateProcessRequest {
                id,
                process_config,
                stdio: Default::default(),
            };
            run.client.create_process(request, stdio).await
        };
        self.0.work.finish(operation).await
    }

    /// Gives `stdio` what a running container's init process writes from now on.
    ///
    /// # Errors
    /// The container is not known or does not run.
    pub(crate) async fn attach(&self, id: &str, stdio: Stdio) -> Result<(), Error> {
        let run = self.find(id)?.live().await?;
        run.client.attach(stdio).await
    }

    /// Starts a process. A container whose init process cannot be started ends.
    ///
    /// # Errors
    /// The container is not known or not booted, or the program cannot be executed.
    pub(crate) async fn start_process(&self, process: ProcessReference) -> Result<Phases, Error> {
        let container = self.find(&process.id)?;
        let this = self.clone();
        let operation = async move {
            let run = container.live().await?;
            if process.process_identifier != process.id {
                return run.client.start(&process.process_identifier).await;
            }
            this.start_init(&container, &run).await
        };
        self.0.work.finish(operation).await
    }

    /// Starts the init process of a booted container.
    pub(super) async fn start_init(
        &self,
        container: &Arc<Container>,
        run: &Arc<Run>,
    ) -> Result<Phases, Error> {
        let _turn = container.life.lock().await;
        let started = run.client.start(&container.id).await;
        match &started {
            Ok(_) => {
                run.mark_started();
                // The helper wrote it down.
                let record = container.bundle.load_start().ok().flatten();
                container.started(record.map_or_else(now, |record| record.started_date));
                self.tell(container, Action::Start, None);
            }
            // Starting it a second time is a mistake that must not cost its life.
            Err(_) if run.is_started() => {}
            Err(error) => {
                tracing::error!(id = container.id, %error, "failed to start container");
                self.clean_up(container, run, None).await;
            }
        }
        started
    }

    /// Waits for a process to end. The init process's last exit status is known for ever, that of a container which
    /// was deleted on its end for some time.
    ///
    /// # Errors
    /// The process is not known, or the container never ran.
    pub(crate) async fn wait(&self, process: ProcessReference) -> Result<ExitStatus, Error> {
        let ProcessReference {
            id,
            process_identifier,
        } = process;
        let is_init = process_identifier == id;
        let Some(container) = self.0.table.find(&id) else {
            let remembered = self.0.table.remembered(&id).filter(|_| is_init);
            return remembered.ok_or_else(|| not_found(&id));
        };
        let Some(run) = container.run().await else {
            let exit = container.exit().filter(|_| is_init);
            return exit.ok_or_else(no_runtime_client);
        };
        if is_init {
            // The helper answers when the client has all output; when the helper is lost there is nothing to wait for.
            let _ = run.client.wait(&id).await;
            return Ok(run.ended().await);
        }
        let waited = run.client.wait(&process_identifier).await;
        // A process ends with its container even when there is nobody left to tell.
        match waited {
            Err(_) if timeout(Duration::ZERO, run.client.closed()).await.is_ok() => Ok(run.lost()),
            waited => waited,
        }
    }

    /// Sets the window size of a process's terminal.
    ///
    /// # Errors
    /// The container is not known or stopped, or the process has no terminal.
    pub(crate) async fn resize(&self, request: ContainerResizeRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let run = container.live().await?;
        run.client
            .resize(&request.process_identifier, request.width, request.height)
            .await
    }
}
