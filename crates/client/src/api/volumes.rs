//! Routes, payloads and calls about volumes (behaviour reference, 18 and 27.3).

use std::collections::BTreeMap;
use std::time::Duration;

use container_ipc::{Error, Route};
use container_resource::Volume;
use serde::{Deserialize, Serialize};

use super::client::ApiClient;
use super::routes::routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

routes! {
    /// Makes a volume.
    VolumeCreate = "volumeCreate", MINUTE, VolumeCreateRequest => Volume;
    /// Deletes a volume that no container uses.
    VolumeDelete = "volumeDelete", MINUTE, VolumeReference => ();
    /// Every volume.
    VolumeList = "volumeList", MINUTE, () => Vec<Volume>;
    /// One volume.
    VolumeInspect = "volumeInspect", MINUTE, VolumeReference => Volume;
    /// The bytes on disk that deleting a volume frees.
    VolumeDiskUsage = "volumeDiskUsage", MINUTE, VolumeReference => u64;
}

/// What [`VolumeCreate`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeCreateRequest {
    /// The name.
    pub volume_name: String,
    /// `size` and `journal`; others are kept and ignored.
    #[serde(default)]
    pub volume_driver_opts: BTreeMap<String, String>,
    /// Labels.
    #[serde(default)]
    pub volume_labels: BTreeMap<String, String>,
}

/// Names a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeReference {
    /// The volume's name.
    pub volume_name: String,
}

fn reference(name: &str) -> VolumeReference {
    VolumeReference {
        volume_name: name.to_owned(),
    }
}

impl ApiClient {
    /// Makes a volume.
    ///
    /// # Errors
    /// The name is taken or no name, or an option is wrong.
    pub async fn create_volume(&self, request: VolumeCreateRequest) -> Result<Volume, Error> {
        self.client.call::<VolumeCreate>(request).await
    }

    /// Every volume, ordered by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn volumes(&self) -> Result<Vec<Volume>, Error> {
        self.client.call::<VolumeList>(()).await
    }

    /// One volume.
    ///
    /// # Errors
    /// `notFound` when there is none of that name.
    pub async fn volume(&self, name: &str) -> Result<Volume, Error> {
        self.client.call::<VolumeInspect>(reference(name)).await
    }

    /// Deletes a volume.
    ///
    /// # Errors
    /// There is none of that name, or a container uses it.
    pub async fn delete_volume(&self, name: &str) -> Result<(), Error> {
        self.client.call::<VolumeDelete>(reference(name)).await
    }

    /// The bytes on disk that deleting a volume frees.
    ///
    /// # Errors
    /// There is none of that name.
    pub async fn volume_disk_usage(&self, name: &str) -> Result<u64, Error> {
        self.client.call::<VolumeDiskUsage>(reference(name)).await
    }
}
