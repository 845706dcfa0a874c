//! Containers: what was asked for, and how they are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::health::{Health, HealthCheck};
use crate::time::Timestamp;
use crate::{
    Attachment, AttachmentConfiguration, DnsConfiguration, Filesystem, ImageDescription, Journal, Platform,
    ProcessConfiguration, PublishPort, PublishSocket, RestartPolicy,
};

/// The runtime that boots Linux containers; also the name of its helper process.
pub const LINUX_RUNTIME: &str = "container-runtime-linux";

/// Everything that was asked for when a container was created (behaviour reference, 5.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerConfiguration {
    /// The container's id, which is also its name.
    pub id: String,
    /// When it was created.
    pub creation_date: Timestamp,
    /// The runtime helper that runs it.
    pub runtime_handler: String,
    /// Its image.
    pub image: ImageDescription,
    /// The platform that was chosen from the image.
    pub platform: Platform,
    /// Processors, memory and disk.
    pub resources: Resources,
    /// The process that is the container's life.
    pub init_process: ProcessConfiguration,
    /// Mounts in the order given.
    #[serde(default)]
    pub mounts: Vec<Filesystem>,
    /// Ports forwarded from the host.
    #[serde(default)]
    pub published_ports: Vec<PublishPort>,
    /// Sockets forwarded from the host.
    #[serde(default)]
    pub published_sockets: Vec<PublishSocket>,
    /// Networks in interface order.
    #[serde(default)]
    pub networks: Vec<AttachmentConfiguration>,
    /// Name service; absent leaves the image's `/etc/resolv.conf` alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dns: Option<DnsConfiguration>,
    /// Key and value pairs for users and tools.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Kernel parameters set in the guest.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// Capabilities in addition to the default ones.
    #[serde(default)]
    pub cap_add: Vec<String>,
    /// Capabilities taken away.
    #[serde(default)]
    pub cap_drop: Vec<String>,
    /// Whether x86-64 programs run through Rosetta.
    #[serde(default)]
    pub rosetta: bool,
    /// Whether the guest may itself run virtual machines.
    #[serde(default)]
    pub virtualization: bool,
    /// Whether the caller's SSH agent is reachable.
    #[serde(default)]
    pub ssh: bool,
    /// Whether the root file system is read-only.
    #[serde(default)]
    pub read_only: bool,
    /// Whether a minimal init runs as process 1 and reaps orphans.
    #[serde(default)]
    pub use_init: bool,
    /// Size of `/dev/shm` in bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shm_size: Option<u64>,
    /// The signal that `stop` sends first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop_signal: Option<String>,
    /// Paths hidden from the container; absent means the default list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub masked_paths: Option<Vec<String>>,
    /// Paths that are read-only in the container; absent means the default list.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub readonly_paths: Option<Vec<String>>,
    /// The journal of the container's own disk; absent means an ordered one. An addition, as everything below.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub journal: Option<Journal>,
    /// The host name in the guest; absent means the first label of the name on the first network.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hostname: Option<String>,
    /// Further names in `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub extra_hosts: Vec<ExtraHost>,
    /// Seconds that `stop` gives the container; absent means 5.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop_timeout: Option<u32>,
    /// Whether the container is started again when it ends; absent means that it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub restart_policy: Option<RestartPolicy>,
    /// Whether the init process has standard input that clients can attach to, even when nobody writes to it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub open_stdin: bool,
    /// How it is found out whether the service in the container works; absent means that it is not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health_check: Option<HealthCheck>,
}

/// A name that a container's `/etc/hosts` has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraHost {
    /// The name.
    pub hostname: String,
    /// Its IPv4 or IPv6 address, or [`GATEWAY`](Self::GATEWAY).
    pub address: String,
}

impl ExtraHost {
    /// Stands for the gateway of the container's first network.
    pub const GATEWAY: &str = "host-gateway";
}

/// Processors, memory and disk of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// Processors that the container may use.
    pub cpus: u32,
    /// Memory limit in bytes. The virtual machine grows up to it and gives nothing back until it stops.
    pub memory_in_bytes: u64,
    /// Processors of the virtual machine beyond the container's.
    pub cpu_overhead: u32,
    /// Capacity of the scratch disk in bytes; absent means the default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub storage: Option<u64>,
    /// Processor time that the container may use, in microseconds per 100 milliseconds; absent means all of its
    /// processors' time. An addition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cpu_quota: Option<u64>,
    /// How many processes and threads the container may have; absent means as many as fit. An addition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pids_limit: Option<u32>,
}

impl Resources {
    /// The least memory a container can have, in bytes (200 MiB).
    pub const MINIMUM_MEMORY: u64 = 200 * bytesize::MIB;
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            cpus: 4,
            memory_in_bytes: bytesize::GIB,
            cpu_overhead: 1,
            storage: None,
            cpu_quota: None,
            pids_limit: None,
        }
    }
}

/// What happens to a container around its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerOptions {
    /// Delete the container when it stops (`--rm`).
    #[serde(default)]
    pub auto_remove: bool,
}

/// What a container is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerState {
    /// Not known, because its helper does not answer.
    #[default]
    Unknown,
    /// Created and never started, or ended.
    Stopped,
    /// Its virtual machine is up.
    Running,
    /// On its way to stopped.
    Stopping,
    /// Its virtual machine is up, its processes are frozen. An addition.
    Paused,
}

impl ContainerState {
    /// Whether the container's virtual machine is up and stays so.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

impl std::fmt::Display for ContainerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Paused => "paused",
        })
    }
}

/// A container as it is now: what `list` and `inspect` show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSnapshot {
    /// The container's id.
    pub id: String,
    /// What it is doing.
    pub status: ContainerStatus,
    /// What was asked for.
    pub configuration: ContainerConfiguration,
}

/// The changing part of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStatus {
    /// What it is doing.
    pub state: ContainerState,
    /// Its interfaces; empty unless running.
    #[serde(default)]
    pub networks: Vec<Attachment>,
    /// Its published ports as they are, while it runs and if the system chose one of them. An addition.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub published_ports: Vec<PublishPort>,
    /// When it last started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_date: Option<Timestamp>,
    /// What its health check has found out; absent unless it is running and has one. An addition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub health: Option<Health>,
}
