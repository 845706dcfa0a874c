//! Routes and payloads of a runtime helper.

use std::collections::BTreeMap;
use std::time::Duration;

use container_ipc::Route;
use container_resource::{
    ContainerStatistics, ContainerStatus, ExitStatus, ProcessConfiguration, RunningProcess,
};
use serde::{Deserialize, Serialize};

use crate::api::{ChangesOptions, ContainerCopyInRequest, ContainerCopyOutRequest, StopOptions, routes};
use crate::phases::Phases;
use crate::stdio::StdioSet;
use crate::stdio_log::Limits;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const TEN_SECONDS: Option<Duration> = Some(Duration::from_secs(10));

routes! {
    /// Boots the virtual machine. Up to three descriptors for the init process come with it.
    Bootstrap = "dev.container.runtime/bootstrap", None, BootstrapRequest => Phases;
    /// Adds a process. Up to three descriptors come with it.
    CreateProcess = "dev.container.runtime/createProcess", MINUTE, CreateProcessRequest => ();
    /// Gives further descriptors what the init process writes from now on, and the process what comes from there.
    Attach = "dev.container.runtime/attach", TEN_SECONDS, AttachRequest => ();
    /// Starts a process.
    Start = "dev.container.runtime/start", MINUTE, ProcessId => Phases;
    /// Waits for a process to end and for the client to have all of its output.
    Wait = "dev.container.runtime/wait", None, ProcessId => ExitStatus;
    /// Waits until the container has ended and its virtual machine is gone. A client that does not read its output
    /// does not hold this up.
    Stopped = "dev.container.runtime/stopped", None, () => ExitStatus;
    /// Sends a signal to a process.
    Kill = "dev.container.runtime/kill", MINUTE, KillRequest => ();
    /// Sets the window size of a process's terminal.
    Resize = "dev.container.runtime/resize", TEN_SECONDS, ResizeRequest => ();
    /// Stops the container and powers the virtual machine off.
    Stop = "dev.container.runtime/stop", None, StopOptions => ();
    /// Freezes the container's processes, or lets them go on.
    Freeze = "dev.container.runtime/freeze", MINUTE, FreezeRequest => ();
    /// What the container is doing.
    State = "dev.container.runtime/state", TEN_SECONDS, () => ContainerStatus;
    /// What the container's health check has found out, when that is something else than what was seen.
    Health = "dev.container.runtime/health", None, HealthRequest => HealthReply;
    /// Reads the container's counters.
    Statistics = "dev.container.runtime/statistics", TEN_SECONDS, () => ContainerStatistics;
    /// Lists the container's processes.
    Processes = "dev.container.runtime/processes", TEN_SECONDS, () => Vec<RunningProcess>;
    /// Writes what the container has changed of its image into the descriptor that comes with the request.
    Changes = "dev.container.runtime/changes", None, ChangesOptions => ();
    /// Makes the files of a tar archive, read from the descriptor that comes with the request, in the container. A container
    /// that was not booted is booted for this alone.
    CopyIn = "dev.container.runtime/copyIn", None, ContainerCopyInRequest => ();
    /// Writes a tar archive of a path of the container into the descriptor that comes with the request. A container that
    /// was not booted is booted for this alone.
    CopyOut = "dev.container.runtime/copyOut", None, ContainerCopyOutRequest => ();
    /// Writes a tar archive of the container's root file system into the descriptor that comes with the request. A
    /// container that was not booted is booted for this alone.
    Export = "dev.container.runtime/export", None, () => ();
    /// Ends the helper once every client has its output; a virtual machine that still runs is killed.
    Shutdown = "dev.container.runtime/shutdown", TEN_SECONDS, () => ();
}

/// What [`Bootstrap`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootstrapRequest {
    /// Which standard streams accompany the request.
    #[serde(default)]
    pub stdio: StdioSet,
    /// Environment that is new at every start.
    #[serde(default)]
    pub dynamic_env: BTreeMap<String, String>,
    /// How much of the init process's output is kept.
    #[serde(default)]
    pub log_limits: Limits,
    /// Whether the output of earlier starts is kept.
    #[serde(default)]
    pub keep_log: bool,
    /// The helper's program of each network that the configuration names.
    #[serde(default)]
    pub network_plugins: Vec<String>,
}

/// Names a process of the container; the container's id for its init process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// The process.
    pub id: String,
}

/// What [`Attach`] takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachRequest {
    /// Which standard streams accompany the request.
    pub stdio: StdioSet,
}

/// What [`CreateProcess`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateProcessRequest {
    /// A new id for the process.
    pub id: String,
    /// What to execute.
    pub process_config: ProcessConfiguration,
    /// Which standard streams accompany the request.
    #[serde(default)]
    pub stdio: StdioSet,
}

/// What [`Kill`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillRequest {
    /// The process.
    pub id: String,
    /// A Linux signal: name with or without `SIG`, any case, or number.
    pub signal: String,
}

/// What [`Health`] takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthRequest {
    /// What the last reply said; absent for what is known now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<u64>,
}

/// What [`Health`] answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReply {
    /// What to ask with next.
    pub seen: u64,
    /// What is known; absent without a health check.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health: Option<container_resource::health::Health>,
}

/// What [`Freeze`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeRequest {
    /// Whether they are frozen from now on.
    pub frozen: bool,
}

/// What [`Resize`] takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResizeRequest {
    /// The process.
    pub id: String,
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}
