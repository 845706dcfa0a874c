//! Volumes as containers use them.

use container_client::api::{VolumeCreateRequest, VolumeReference};
use container_ipc::Error;
use container_resource::Volume;

use super::Containers;
use crate::volumes::Volumes;

impl Containers {
    /// The volumes.
    pub(crate) fn volumes(&self) -> &Volumes {
        &self.0.volumes
    }

    /// Makes a volume, whether its caller waits for it or not.
    ///
    /// # Errors
    /// The name is taken or no name, an option is wrong, or the disk cannot be written.
    pub(crate) async fn create_volume(&self, request: VolumeCreateRequest) -> Result<Volume, Error> {
        let volumes = self.0.volumes.clone();
        self.0
            .work
            .finish(async move { volumes.create(request).await })
            .await
    }

    /// Deletes a volume that no container uses.
    ///
    /// # Errors
    /// There is none of that name, a container uses it, or it cannot be removed.
    pub(crate) async fn delete_volume(&self, request: VolumeReference) -> Result<(), Error> {
        let this = self.clone();
        let delete = async move {
            let name = request.volume_name;
            this.0.volumes.delete(&name, |name| this.uses_volume(name)).await
        };
        self.0.work.finish(delete).await
    }

    /// Whether a container, running or not, uses the volume `name`.
    pub(super) fn uses_volume(&self, name: &str) -> bool {
        self.0.table.all().iter().any(|container| {
            let record = container.record();
            let mut mounts = record.configuration.mounts.iter();
            mounts.any(|mount| mount.volume_name() == Some(name))
        })
    }
}
