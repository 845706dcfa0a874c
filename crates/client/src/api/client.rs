//! The typed client of the API server.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use container_ipc::{Call, Client, Endpoint, Error, ErrorCode, ProgressEvent};
use container_resource::{
    ContainerSnapshot, ContainerStatistics, DiskUsageStats, ExitStatus, Kernel, Platform, RunningProcess,
};
use tokio::sync::mpsc::UnboundedSender;

use super::routes::*;
use crate::phases::Phases;
use crate::services;
use crate::stdio::Stdio;

/// A connection to the API server. Errors are wrapped as behaviour reference 27.9 says.
#[derive(Debug, Clone)]
pub struct ApiClient {
    pub(super) client: Client,
}

impl ApiClient {
    /// Connects to the server whose sockets are in `runtime_directory`.
    ///
    /// # Errors
    /// Nobody serves there: code `interrupted`, text beginning with `XPC connection error`.
    pub async fn connect(runtime_directory: &Path) -> Result<Self, Error> {
        let endpoint = Endpoint::new(runtime_directory, &services::api_server());
        Ok(Self {
            client: Client::connect(&endpoint).await?,
        })
    }

    /// Asks whether the server is there, waiting at most `deadline`.
    ///
    /// # Errors
    /// The server does not answer in time.
    pub async fn ping(&self, deadline: Duration) -> Result<PingReply, Error> {
        let call = Call {
            deadline: Some(Some(deadline)),
            ..Call::default()
        };
        Ok(self.client.call_with::<Ping>((), call).await?.value)
    }

    /// The containers that pass `filter`, ordered by id.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn list(&self, filter: ContainerFilter) -> Result<Vec<ContainerSnapshot>, Error> {
        let listed = self.client.call::<ContainerList>(filter).await;
        listed.map_err(|error| error.wrap("failed to list containers"))
    }

    /// The container `id`.
    ///
    /// # Errors
    /// `notFound` with the text `get failed: container <id> not found`.
    pub async fn get(&self, id: &str) -> Result<ContainerSnapshot, Error> {
        let filter = ContainerFilter {
            ids: vec![id.to_owned()],
            ..ContainerFilter::default()
        };
        self.list(filter).await?.pop().ok_or_else(|| {
            Error::new(
                ErrorCode::NotFound,
                format!("get failed: container {id} not found"),
            )
        })
    }

    /// Stores a new container.
    ///
    /// # Errors
    /// The id is taken, memory is below the minimum, or an image is missing.
    pub async fn create(&self, request: ContainerCreateRequest) -> Result<Phases, Error> {
        let created = self.client.call::<ContainerCreate>(request).await;
        created.map_err(|error| error.wrap("failed to create container"))
    }

    /// Boots a container's virtual machine with the init process's standard streams.
    ///
    /// # Errors
    /// The virtual machine does not come up; its boot log's last lines are in the text.
    pub async fn bootstrap(
        &self,
        mut request: ContainerBootstrapRequest,
        stdio: Stdio,
    ) -> Result<Phases, Error> {
        let (set, fds) = stdio.split();
        request.stdio = set;
        let booted = self
            .client
            .call_with::<ContainerBootstrap>(
                request,
                Call {
                    fds,
                    ..Call::default()
                },
            )
            .await;
        booted
            .map(|reply| reply.value)
            .map_err(|error| error.wrap("failed to bootstrap container"))
    }

    /// Gives `stdio` what the init process of a running container writes from now on.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn attach(&self, id: &str, stdio: Stdio) -> Result<(), Error> {
        let (stdio, fds) = stdio.split();
        let request = ContainerAttachRequest {
            id: id.to_owned(),
            stdio,
        };
        let call = Call {
            fds,
            ..Call::default()
        };
        let attached = self.client.call_with::<ContainerAttach>(request, call).await;
        attached
            .map(|_| ())
            .map_err(|error| error.wrap("failed to attach to container"))
    }

    /// Adds a process to a running container.
    ///
    /// # Errors
    /// The container does not run, or the process cannot be made.
    pub async fn create_process(
        &self,
        mut request: ContainerCreateProcessRequest,
        stdio: Stdio,
    ) -> Result<(), Error> {
        let (set, fds) = stdio.split();
        request.stdio = set;
        let call = Call {
            fds,
            ..Call::default()
        };
        let created = self
            .client
            .call_with::<ContainerCreateProcess>(request, call)
            .await;
        created
            .map(|_| ())
            .map_err(|error| error.wrap("failed to create process in container"))
    }

    /// Starts a process.
    ///
    /// # Errors
    /// The program cannot be executed.
    pub async fn start_process(&self, process: ProcessReference) -> Result<Phases, Error> {
        self.client.call::<ContainerStartProcess>(process).await
    }

    /// Waits until a process has ended and all of its output is written.
    ///
    /// # Errors
    /// The process is not known, or the server went away.
    pub async fn wait(&self, process: ProcessReference) -> Result<ExitStatus, Error> {
        self.client.call::<ContainerWait>(process).await
    }

    /// Sends `signal` to a process.
    ///
    /// # Errors
    /// The container does not run, or the signal is not known.
    pub async fn kill(&self, process: ProcessReference, signal: &str) -> Result<(), Error> {
        let ProcessReference {
            id,
            process_identifier,
        } = process;
        let request = ContainerKillRequest {
            id,
            process_identifier,
            signal: signal.to_owned(),
        };
        let killed = self.client.call::<ContainerKill>(request).await;
        killed.map_err(|error| error.wrap("failed to kill container"))
    }

    /// Sets the window size of a process's terminal.
    ///
    /// # Errors
    /// The process does not run or has no terminal.
    pub async fn resize(&self, request: ContainerResizeRequest) -> Result<(), Error> {
        self.client.call::<ContainerResize>(request).await
    }

    /// Stops a container and waits for the end. A stopped container is fine.
    ///
    /// # Errors
    /// The container is not known.
    pub async fn stop(&self, id: &str, stop_options: StopOptions) -> Result<(), Error> {
        let request = ContainerStopRequest {
            id: id.to_owned(),
            stop_options,
        };
        let stopped = self.client.call::<ContainerStop>(request).await;
        stopped.map_err(|error| error.wrap("failed to stop container"))
    }

    /// Stops a container, if it runs, and starts it in the background. One that is deleted on its end is kept.
    ///
    /// # Errors
    /// The container is not known, or does not start.
    pub async fn restart(&self, request: ContainerRestartRequest) -> Result<(), Error> {
        let restarted = self.client.call::<ContainerRestart>(request).await;
        restarted.map_err(|error| error.wrap("failed to restart container"))
    }

    /// Freezes a container's processes, or lets them go on.
    ///
    /// # Errors
    /// The container does not run, or is what it is asked to be already.
    pub async fn freeze(&self, id: &str, frozen: bool) -> Result<(), Error> {
        let request = ContainerFreezeRequest {
            id: id.to_owned(),
            frozen,
        };
        let what = if frozen { "pause" } else { "unpause" };
        let changed = self.client.call::<ContainerFreeze>(request).await;
        changed.map_err(|error| error.wrap(format!("failed to {what} container")))
    }

    /// Gives a stopped container another id.
    ///
    /// # Errors
    /// The container is not known or runs, or the new id is taken or not valid.
    pub async fn rename(&self, id: &str, new_id: &str) -> Result<(), Error> {
        let request = ContainerRenameRequest {
            id: id.to_owned(),
            new_id: new_id.to_owned(),
        };
        let renamed = self.client.call::<ContainerRename>(request).await;
        renamed.map_err(|error| error.wrap("failed to rename container"))
    }

    /// Changes labels and restart policy of a container.
    ///
    /// # Errors
    /// The container is not known, or the policy is none.
    pub async fn update(&self, request: ContainerUpdateRequest) -> Result<(), Error> {
        let updated = self.client.call::<ContainerUpdate>(request).await;
        updated.map_err(|error| error.wrap("failed to update container"))
    }

    /// Deletes a container.
    ///
    /// # Errors
    /// The container is not known, or runs and `force` is not given.
    pub async fn delete(&self, id: &str, force: bool) -> Result<(), Error> {
        let request = ContainerDeleteRequest {
            id: id.to_owned(),
            force_delete: force,
        };
        let deleted = self.client.call::<ContainerDelete>(request).await;
        deleted.map_err(|error| error.wrap("failed to delete container"))
    }

    /// Opens the directory of the container's output, for a [`LogReader`](crate::stdio_log::LogReader), and its boot
    /// log, in this order.
    ///
    /// # Errors
    /// The container is not known or was never started.
    pub async fn logs(&self, id: &str) -> Result<[OwnedFd; 2], Error> {
        let request = ContainerReference { id: id.to_owned() };
        let opened = self
            .client
            .call_with::<ContainerLogs>(request, Call::default())
            .await;
        opened
            .and_then(|reply| {
                <[OwnedFd; 2]>::try_from(reply.fds)
                    .map_err(|_| Error::new(ErrorCode::InternalError, "the server sent no log files"))
            })
            .map_err(|error| error.wrap(format!("failed to get logs for container {id}")))
    }

    /// Reads a running container's counters.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn statistics(&self, id: &str) -> Result<ContainerStatistics, Error> {
        let read = self
            .client
            .call::<ContainerStats>(ContainerReference { id: id.to_owned() })
            .await;
        read.map_err(|error| error.wrap(format!("failed to get statistics for container {id}")))
    }

    /// Lists the processes of a running container.
    ///
    /// # Errors
    /// The container does not run, or its agent does not know how.
    pub async fn processes(&self, id: &str) -> Result<Vec<RunningProcess>, Error> {
        let listed = self
            .client
            .call::<ContainerProcesses>(ContainerReference { id: id.to_owned() })
            .await;
        listed.map_err(|error| error.wrap(format!("failed to list processes of container {id}")))
    }

    /// Writes what a container has changed of its image into `output`.
    ///
    /// # Errors
    /// The container is not known, or its agent does not know how.
    pub async fn changes(&self, id: &str, options: ChangesOptions, output: OwnedFd) -> Result<(), Error> {
        let request = ContainerChangesRequest {
            id: id.to_owned(),
            options,
        };
        let call = Call {
            fds: vec![output],
            ..Call::default()
        };
        let written = self.client.call_with::<ContainerChanges>(request, call).await;
        written
            .map(|_| ())
            .map_err(|error| error.wrap(format!("failed to read the changes of container {id}")))
    }

    /// What happened to containers after what was `seen`, as soon as there is something; without it what is kept of the
    /// past, at once.
    ///
    /// # Errors
    /// The server went away.
    pub async fn events(&self, seen: Option<u64>) -> Result<EventsReply, Error> {
        self.client.call::<Events>(EventsRequest { seen }).await
    }

    /// The bytes on disk that deleting the container frees.
    ///
    /// # Errors
    /// The container is not known.
    pub async fn disk_usage(&self, id: &str) -> Result<u64, Error> {
        let read = self
            .client
            .call::<ContainerDiskUsage>(ContainerReference { id: id.to_owned() })
            .await;
        read.map_err(|error| error.wrap(format!("failed to get disk usage for container {id}")))
    }

    /// The disk space that images, containers and volumes take.
    ///
    /// # Errors
    /// The image service does not answer, or something cannot be read.
    pub async fn system_disk_usage(&self) -> Result<DiskUsageStats, Error> {
        self.client.call::<SystemDiskUsage>(()).await
    }

    /// Installs a kernel and makes it the default.
    ///
    /// # Errors
    /// The file or archive is missing, its digest differs, or the name is taken and `kernel_force` is not set.
    pub async fn install_kernel(
        &self,
        request: InstallKernelRequest,
        progress: Option<UnboundedSender<ProgressEvent>>,
    ) -> Result<(), Error> {
        let call = Call {
            progress,
            ..Call::default()
        };
        self.client
            .call_with::<InstallKernel>(request, call)
            .await
            .map(|_| ())
    }

    /// The default kernel of `platform`.
    ///
    /// # Errors
    /// `notFound` when none is installed.
    pub async fn default_kernel(&self, platform: &Platform) -> Result<Kernel, Error> {
        let request = DefaultKernelRequest {
            system_platform: platform.clone(),
        };
        self.client.call::<GetDefaultKernel>(request).await
    }

    /// Resolves when the connection is gone.
    pub async fn closed(&self) {
        self.client.closed().await;
    }
}
