//! How much of the host's disk things take (behaviour reference, 5.6 and 23.3).

use serde::{Deserialize, Serialize};

/// What one kind of thing takes. Sizes are allocated bytes: holes and what is shared count once, or not at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskUsage {
    /// How many there are.
    pub total: u64,
    /// How many of them are in use.
    pub active: u64,
    /// Bytes that all of them take.
    pub size_in_bytes: u64,
    /// Bytes that come back when those that are not in use are removed.
    pub reclaimable: u64,
}

/// What everything takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUsageStats {
    /// Images with their disks; one is in use when a container was made from it.
    pub images: DiskUsage,
    /// Containers; one is in use while it runs.
    pub containers: DiskUsage,
    /// Volumes; one is in use when a container names it.
    pub volumes: DiskUsage,
}
