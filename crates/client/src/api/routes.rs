//! Routes and payloads of the API server.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use container_ipc::Route;
use container_resource::{
    ContainerConfiguration, ContainerOptions, ContainerSnapshot, ContainerState, ContainerStatistics,
    DiskUsageStats, Event, ExitStatus, Kernel, Platform, ProcessConfiguration, RunningProcess,
};
use serde::{Deserialize, Serialize};

use crate::phases::Phases;
use crate::stdio::StdioSet;

macro_rules! routes {
    ($($(#[$doc:meta])* $route:ident = $name:literal, $deadline:expr, $request:ty => $response:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $route;

        impl Route for $route {
            const NAME: &'static str = $name;
            const DEADLINE: Option<Duration> = $deadline;
            type Request = $request;
            type Response = $response;
        }
    )*};
}
pub(crate) use routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const TEN_SECONDS: Option<Duration> = Some(Duration::from_secs(10));

routes! {
    /// Whether the server is there, and where its roots are.
    Ping = "ping", TEN_SECONDS, () => PingReply;
    /// The containers that pass a filter.
    ContainerList = "containerList", TEN_SECONDS, ContainerFilter => Vec<ContainerSnapshot>;
    /// Stores a new container; nothing is started.
    ContainerCreate = "containerCreate", MINUTE, ContainerCreateRequest => Phases;
    /// Starts the helper and the virtual machine. Up to three descriptors come with it.
    ContainerBootstrap = "containerBootstrap", None, ContainerBootstrapRequest => Phases;
    /// Gives further descriptors what the init process writes from now on, and the process what comes from there.
    ContainerAttach = "containerAttach", TEN_SECONDS, ContainerAttachRequest => ();
    /// Adds a process to a running container. Up to three descriptors come with it.
    ContainerCreateProcess = "containerCreateProcess", MINUTE, ContainerCreateProcessRequest => ();
    /// Starts a process; the init process is named by the container's id.
    ContainerStartProcess = "containerStartProcess", MINUTE, ProcessReference => Phases;
    /// Waits for a process to end.
    ContainerWait = "containerWait", None, ProcessReference => ExitStatus;
    /// Sends a signal to a process.
    ContainerKill = "containerKill", MINUTE, ContainerKillRequest => ();
    /// Sets the window size of a process's terminal.
    ContainerResize = "containerResize", TEN_SECONDS, ContainerResizeRequest => ();
    /// Stops a container: signal, grace period, SIGKILL, power off.
    ContainerStop = "containerStop", None, ContainerStopRequest => ();
    /// Stops a container, if it runs, and starts it in the background.
    ContainerRestart = "containerRestart", None, ContainerRestartRequest => ();
    /// Freezes a container's processes, or lets them go on.
    ContainerFreeze = "containerFreeze", MINUTE, ContainerFreezeRequest => ();
    /// Gives a stopped container another id.
    ContainerRename = "containerRename", MINUTE, ContainerRenameRequest => ();
    /// Changes what can be changed of a container.
    ContainerUpdate = "containerUpdate", MINUTE, ContainerUpdateRequest => ();
    /// Deletes a container.
    ContainerDelete = "containerDelete", MINUTE, ContainerDeleteRequest => ();
    /// Opens the logs: two descriptors, the directory of the container's output and the boot log.
    ContainerLogs = "containerLogs", MINUTE, ContainerReference => ();
    /// Reads the counters of a running container.
    ContainerStats = "containerStats", TEN_SECONDS, ContainerReference => ContainerStatistics;
    /// Lists the processes of a running container.
    ContainerProcesses = "containerProcesses", TEN_SECONDS, ContainerReference => Vec<RunningProcess>;
    /// Writes what a container has changed of its image into the descriptor that comes with the request.
    ContainerChanges = "containerChanges", None, ContainerChangesRequest => ();
    /// Makes the files of a tar archive, read from the descriptor that comes with the request, in a container.
    ContainerCopyIn = "containerCopyIn", None, ContainerCopyInRequest => ();
    /// Writes a tar archive of a path of a container into the descriptor that comes with the request.
    ContainerCopyOut = "containerCopyOut", None, ContainerCopyOutRequest => ();
    /// Writes a tar archive of a container's root file system into the descriptor that comes with the request.
    ContainerExport = "containerExport", None, ContainerReference => ();
    /// The bytes on disk that deleting a container frees.
    ContainerDiskUsage = "containerDiskUsage", MINUTE, ContainerReference => u64;
    /// The disk space that images, containers and volumes take.
    SystemDiskUsage = "systemDiskUsage", MINUTE, () => DiskUsageStats;
    /// What happened to containers; waits until something has.
    Events = "events", None, EventsRequest => EventsReply;
    /// Copies a kernel into the application root and makes it the default.
    InstallKernel = "installKernel", None, InstallKernelRequest => ();
    /// The default kernel of a platform.
    GetDefaultKernel = "getDefaultKernel", MINUTE, DefaultKernelRequest => Kernel;
}

/// What [`Ping`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PingReply {
    /// The application root.
    pub app_root: PathBuf,
    /// The install root.
    pub install_root: PathBuf,
    /// The log root, where there is one.
    pub log_root: Option<PathBuf>,
    /// The whole version sentence.
    pub api_server_version: String,
    /// The commit it was built from, or `unspecified`.
    pub api_server_commit: String,
    /// `debug` or `release`.
    pub api_server_build: String,
    /// The program's name.
    pub api_server_app_name: String,
}

/// Which containers to list; everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFilter {
    /// Only these ids, when there are any.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Only this state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<ContainerState>,
    /// Only containers that have all of these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Names a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerReference {
    /// The container's id.
    pub id: String,
}

/// Names a process of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessReference {
    /// The container's id.
    pub id: String,
    /// The process; the container's id for its init process.
    pub process_identifier: String,
}

/// What [`ContainerCreate`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCreateRequest {
    /// What is asked for.
    pub configuration: ContainerConfiguration,
    /// The kernel to boot.
    pub kernel: Kernel,
    /// What happens around the container's life.
    #[serde(default)]
    pub options: ContainerOptions,
    /// The init image; absent means the configured one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub init_image: Option<String>,
}

/// What [`ContainerBootstrap`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerBootstrapRequest {
    /// The container's id.
    pub id: String,
    /// Which standard streams accompany the request.
    #[serde(default)]
    pub stdio: StdioSet,
    /// Environment that is new at every start (`SSH_AUTH_SOCK`).
    #[serde(default)]
    pub dynamic_env: BTreeMap<String, String>,
}

/// What [`ContainerAttach`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerAttachRequest {
    /// The container's id.
    pub id: String,
    /// Which standard streams accompany the request.
    #[serde(default)]
    pub stdio: StdioSet,
}

/// What [`ContainerCreateProcess`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCreateProcessRequest {
    /// The container's id.
    pub id: String,
    /// A new id for the process.
    pub process_identifier: String,
    /// What to execute.
    pub process_config: ProcessConfiguration,
    /// Which standard streams accompany the request.
    #[serde(default)]
    pub stdio: StdioSet,
}

/// What [`ContainerKill`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerKillRequest {
    /// The container's id.
    pub id: String,
    /// The process.
    pub process_identifier: String,
    /// A Linux signal: name with or without `SIG`, any case, or number.
    pub signal: String,
}

/// What [`ContainerResize`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerResizeRequest {
    /// The container's id.
    pub id: String,
    /// The process.
    pub process_identifier: String,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// What [`ContainerStop`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStopRequest {
    /// The container's id.
    pub id: String,
    /// How to stop it.
    pub stop_options: StopOptions,
}

/// How to stop a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopOptions {
    /// Seconds between the signal and SIGKILL; absent means the container's own, else
    /// [`DEFAULT_TIMEOUT`](Self::DEFAULT_TIMEOUT).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_in_seconds: Option<u32>,
    /// The signal; absent means the image's, else SIGTERM.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signal: Option<String>,
    /// The whole system stops: what the container's restart policy says is done when it starts again.
    #[serde(default)]
    pub with_system: bool,
}

impl StopOptions {
    /// Seconds between the signal and SIGKILL for containers that ask for nothing else.
    pub const DEFAULT_TIMEOUT: u32 = 5;
}

/// What [`ContainerRestart`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRestartRequest {
    /// The container's id.
    pub id: String,
    /// How to stop it.
    pub stop_options: StopOptions,
    /// Environment that is new at every start (`SSH_AUTH_SOCK`).
    #[serde(default)]
    pub dynamic_env: BTreeMap<String, String>,
}

/// What [`ContainerFreeze`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFreezeRequest {
    /// The container's id.
    pub id: String,
    /// Whether its processes are frozen from now on.
    pub frozen: bool,
}

/// What [`ContainerRename`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRenameRequest {
    /// The container's id.
    pub id: String,
    /// Its id from now on.
    pub new_id: String,
}

/// What [`ContainerUpdate`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerUpdateRequest {
    /// The container's id.
    pub id: String,
    /// Labels to add, or to replace.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Labels to remove.
    #[serde(default)]
    pub removed_labels: Vec<String>,
    /// The restart policy from now on, `no` for none; absent means as before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restart_policy: Option<String>,
}

/// What [`ContainerDelete`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDeleteRequest {
    /// The container's id.
    pub id: String,
    /// Whether a running container is killed first.
    pub force_delete: bool,
}

/// What [`ContainerChanges`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerChangesRequest {
    /// The container's id.
    pub id: String,
    /// What is written, and how.
    #[serde(flatten)]
    pub options: ChangesOptions,
}

/// What is written of a container's changes, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesOptions {
    /// How changes are told.
    pub format: ChangesFormat,
    /// Whether a running container stands still meanwhile.
    #[serde(default)]
    pub freeze: bool,
}

/// How changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangesFormat {
    /// A record each, in no order: `A` (added), `C` (changed) or `D` (deleted), a blank, the absolute path, a zero byte.
    List,
    /// A tar archive that is an OCI layer.
    Layer,
}

/// What [`ContainerCopyIn`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCopyInRequest {
    /// The container's id.
    pub id: String,
    /// An absolute path in the container.
    pub destination_path: String,
    /// The name under which the source goes into a directory. The archive has one tree then, which may be called anything.
    /// Without a name everything in the archive goes into the directory that the destination is.
    pub source_name: Option<String>,
    /// Whether that source is a directory.
    pub source_is_directory: bool,
}

/// What [`ContainerCopyOut`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerCopyOutRequest {
    /// The container's id.
    pub id: String,
    /// An absolute path in the container.
    pub source_path: String,
    /// What it is called in the archive.
    pub name: String,
}

/// What [`Events`] takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsRequest {
    /// What the last reply said; absent for the events that are kept, without waiting for more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<u64>,
}

/// What [`Events`] answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReply {
    /// In the order in which they happened.
    pub events: Vec<Event>,
    /// What to ask with next.
    pub seen: u64,
}

/// What [`InstallKernel`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallKernelRequest {
    /// The kernel: a file, or a member of the archive.
    pub kernel_file_path: String,
    /// An archive: an absolute path or a URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel_tar_url: Option<String>,
    /// Whether an installed kernel of the same name is replaced.
    pub kernel_force: bool,
    /// The archive's digest, `sha256:<hex>`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kernel_digest: Option<String>,
    /// What the kernel runs on.
    pub system_platform: Platform,
}

/// What [`GetDefaultKernel`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultKernelRequest {
    /// What the kernel runs on.
    pub system_platform: Platform,
}
