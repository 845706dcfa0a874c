//! Volumes as users see them (behaviour reference, 5.4 and 18).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The label of volumes that nobody named.
pub const ANONYMOUS_LABEL: &str = "com.apple.container.resource.anonymous";

/// The format of a volume that is a directory of the host.
pub const SHARED_FORMAT: &str = "virtiofs";

/// A volume: a disk or a directory that outlives containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub id: String,
    /// What was asked for, and where it is.
    pub configuration: VolumeConfiguration,
}

/// What was asked for, and where the volume is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeConfiguration {
    /// The name.
    pub name: String,
    /// What serves it: always `local`.
    pub driver: String,
    /// The file system: `ext4`, or [`SHARED_FORMAT`].
    pub format: String,
    /// The path of the disk image or of the directory.
    pub source: String,
    /// When it was created.
    pub creation_date: Timestamp,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Driver options as they were given.
    pub options: BTreeMap<String, String>,
    /// Capacity in bytes; a directory has none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size_in_bytes: Option<u64>,
}

impl Volume {
    /// Puts together what users see of a volume.
    pub fn new(configuration: VolumeConfiguration) -> Self {
        Self {
            id: configuration.name.clone(),
            configuration,
        }
    }

    /// Whether nobody named it.
    pub fn is_anonymous(&self) -> bool {
        self.configuration.labels.contains_key(ANONYMOUS_LABEL)
    }
}
