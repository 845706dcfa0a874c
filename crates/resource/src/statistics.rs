//! Counters of a running container.

use serde::{Deserialize, Serialize};

/// Raw counters (behaviour reference, 5.6 and 14.4); absent when they could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are Apple's and say it all")]
pub struct ContainerStatistics {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_usage_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_limit_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_usage_usec: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_rx_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_tx_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_read_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block_write_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_processes: Option<u64>,
    /// What the virtual machine takes of the host's memory, in bytes. It grows with use and shrinks when the container
    /// stops. An addition.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub host_memory_bytes: Option<u64>,
}
