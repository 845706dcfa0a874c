//! The typed client of a runtime helper; the API server is its only user.

use std::os::fd::OwnedFd;
use std::path::Path;

use container_ipc::{Call, Client, Endpoint, Error, Route};
use container_resource::{ContainerStatistics, ContainerStatus, ExitStatus, RunningProcess};

use super::routes::*;
use crate::api::{ChangesOptions, ContainerCopyInRequest, ContainerCopyOutRequest, StopOptions};
use crate::phases::Phases;
use crate::services;
use crate::stdio::Stdio;

/// A connection to one container's runtime helper. Errors are wrapped as behaviour reference 27.9 says.
#[derive(Debug, Clone)]
pub struct RuntimeClient {
    id: String,
    client: Client,
}

impl RuntimeClient {
    /// Connects to the helper `handler` of the container `id`.
    ///
    /// # Errors
    /// The helper does not run.
    pub async fn connect(runtime_directory: &Path, handler: &str, id: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::new(runtime_directory, &services::runtime(handler, id));
        Ok(Self {
            id: id.to_owned(),
            client: Client::connect(&endpoint).await?,
        })
    }

    /// Boots the virtual machine.
    ///
    /// # Errors
    /// It does not come up.
    pub async fn bootstrap(&self, mut request: BootstrapRequest, stdio: Stdio) -> Result<Phases, Error> {
        let (set, fds) = stdio.split();
        request.stdio = set;
        let booted = self
            .client
            .call_with::<Bootstrap>(
                request,
                Call {
                    fds,
                    ..Call::default()
                },
            )
            .await;
        booted
            .map(|reply| reply.value)
            .map_err(|error| error.wrap(format!("failed to bootstrap container {}", self.id)))
    }

    /// Adds a process.
    ///
    /// # Errors
    /// The container does not run, or the id is taken.
    pub async fn create_process(&self, mut request: CreateProcessRequest, stdio: Stdio) -> Result<(), Error> {
        let (set, fds) = stdio.split();
        request.stdio = set;
        let process = request.id.clone();
        let created = self
            .client
            .call_with::<CreateProcess>(
                request,
                Call {
                    fds,
                    ..Call::default()
                },
            )
            .await;
        created.map(|_| ()).map_err(|error| {
            error.wrap(format!(
                "failed to create process {process} in container {}",
                self.id
            ))
        })
    }

    /// Starts a process.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub async fn start(&self, process: &str) -> Result<Phases, Error> {
        let started = self
            .client
            .call::<Start>(ProcessId {
                id: process.to_owned(),
            })
            .await;
        started.map_err(|error| {
            error.wrap(format!(
                "failed to start process {process} in container {}",
                self.id
            ))
        })
    }

    /// Waits until a process has ended and all of its output is written.
    ///
    /// # Errors
    /// The process is not known, or the helper died.
    pub async fn wait(&self, process: &str) -> Result<ExitStatus, Error> {
        let waited = self
            .client
            .call::<Wait>(ProcessId {
                id: process.to_owned(),
            })
            .await;
        waited.map_err(|error| {
            error.wrap(format!(
                "failed to wait for process {process} in container {}",
                self.id
            ))
        })
    }

    /// Waits until the container has ended and its virtual machine is gone.
    ///
    /// # Errors
    /// The helper died.
    pub async fn stopped(&self) -> Result<ExitStatus, Error> {
        self.client.call::<Stopped>(()).await
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// The process does not run, or the signal is not known.
    pub async fn kill(&self, process: &str, signal: &str) -> Result<(), Error> {
        let request = KillRequest {
            id: process.to_owned(),
            signal: signal.to_owned(),
        };
        self.client.call::<Kill>(request).await.map_err(|error| {
            error.wrap(format!(
                "failed to send signal {signal} to process {process} in container {}",
                self.id
            ))
        })
    }

    /// Gives `stdio` what the init process writes from now on.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn attach(&self, stdio: Stdio) -> Result<(), Error> {
        let (stdio, fds) = stdio.split();
        let call = Call {
            fds,
            ..Call::default()
        };
        let attached = self
            .client
            .call_with::<Attach>(AttachRequest { stdio }, call)
            .await;
        attached
            .map(|_| ())
            .map_err(|error| error.wrap(format!("failed to attach to container {}", self.id)))
    }

    /// Freezes the container's processes, or lets them go on.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn freeze(&self, frozen: bool) -> Result<(), Error> {
        let request = FreezeRequest { frozen };
        let what = if frozen { "pause" } else { "unpause" };
        let changed = self.client.call::<Freeze>(request).await;
        changed.map_err(|error| error.wrap(format!("failed to {what} container {}", self.id)))
    }

    /// Sets the window size of a process's terminal.
    ///
    /// # Errors
    /// The process does not run.
    pub async fn resize(&self, process: &str, width: u16, height: u16) -> Result<(), Error> {
        let request = ResizeRequest {
            id: process.to_owned(),
            width,
            height,
        };
        self.client.call::<Resize>(request).await.map_err(|error| {
            error.wrap(format!(
                "failed to resize pty for process {process} in container {}",
                self.id
            ))
        })
    }

    /// Stops the container.
    ///
    /// # Errors
    /// The helper died.
    pub async fn stop(&self, options: StopOptions) -> Result<(), Error> {
        let stopped = self.client.call::<Stop>(options).await;
        stopped.map_err(|error| error.wrap(format!("failed to stop container {}", self.id)))
    }

    /// What the container is doing.
    ///
    /// # Errors
    /// The helper does not answer.
    pub async fn state(&self) -> Result<ContainerStatus, Error> {
        let state = self.client.call::<State>(()).await;
        state.map_err(|error| error.wrap(format!("failed to get state for container {}", self.id)))
    }

    /// What the container's health check has found out, when that is something else than what was `seen`.
    ///
    /// # Errors
    /// The helper ends.
    pub async fn health(&self, seen: Option<u64>) -> Result<HealthReply, Error> {
        self.client.call::<Health>(HealthRequest { seen }).await
    }

    /// Lists the container's processes.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn processes(&self) -> Result<Vec<RunningProcess>, Error> {
        let listed = self.client.call::<Processes>(()).await;
        listed.map_err(|error| error.wrap(format!("failed to list processes of container {}", self.id)))
    }

    /// Reads the container's counters.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn statistics(&self) -> Result<ContainerStatistics, Error> {
        self.client.call::<Statistics>(()).await
    }

    /// Writes what the container has changed of its image into `output`.
    ///
    /// # Errors
    /// The machine does not come up, or `output` cannot be written.
    pub async fn changes(&self, options: ChangesOptions, output: OwnedFd) -> Result<(), Error> {
        let call = Call {
            fds: vec![output],
            ..Call::default()
        };
        let written = self.client.call_with::<Changes>(options, call).await;
        written
            .map(|_| ())
            .map_err(|error| error.wrap(format!("failed to read the changes of container {}", self.id)))
    }

    /// Makes the files of a tar archive in the container.
    ///
    /// # Errors
    /// The archive or the destination is wrong.
    pub async fn copy_in(&self, request: ContainerCopyInRequest, input: OwnedFd) -> Result<(), Error> {
        self.with_file::<CopyIn>(request, input).await
    }

    /// Writes a tar archive of a path of the container into `output`.
    ///
    /// # Errors
    /// The path does not exist, or `output` cannot be written.
    pub async fn copy_out(&self, request: ContainerCopyOutRequest, output: OwnedFd) -> Result<(), Error> {
        self.with_file::<CopyOut>(request, output).await
    }

    /// Writes a tar archive of the container's root file system into `output`.
    ///
    /// # Errors
    /// `output` cannot be written.
    pub async fn export(&self, output: OwnedFd) -> Result<(), Error> {
        self.with_file::<Export>((), output).await
    }

    async fn with_file<R: Route<Response = ()>>(
        &self,
        request: R::Request,
        file: OwnedFd,
    ) -> Result<(), Error> {
        let call = Call {
            fds: vec![file],
            ..Call::default()
        };
        self.client.call_with::<R>(request, call).await.map(|_| ())
    }

    /// Ends the helper.
    ///
    /// # Errors
    /// The helper does not answer.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let ended = self.client.call::<Shutdown>(()).await;
        ended.map_err(|error| error.wrap(format!("failed to shutdown container {}", self.id)))
    }

    /// Resolves when the helper is gone.
    pub async fn closed(&self) {
        self.client.closed().await;
    }
}
