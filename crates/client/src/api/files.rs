//! Copies and archives of a container's files.

use std::os::fd::OwnedFd;

use container_ipc::{Call, Error, Route};

use super::client::ApiClient;
use super::routes::*;

impl ApiClient {
    /// Makes the files of the tar archive that `input` has in a container, which need not run.
    ///
    /// # Errors
    /// The container is not known, the destination does not go with the source, or a file cannot be made.
    pub async fn copy_in(&self, request: ContainerCopyInRequest, input: OwnedFd) -> Result<(), Error> {
        let id = request.id.clone();
        let copied = self.with_file::<ContainerCopyIn>(request, input).await;
        copied.map_err(|error| error.wrap(format!("failed to copy into container {id}")))
    }

    /// Writes a tar archive of a path of a container, which need not run, into `output`.
    ///
    /// # Errors
    /// The container or the path is not known, or `output` cannot be written.
    pub async fn copy_out(&self, request: ContainerCopyOutRequest, output: OwnedFd) -> Result<(), Error> {
        let id = request.id.clone();
        let copied = self.with_file::<ContainerCopyOut>(request, output).await;
        copied.map_err(|error| error.wrap(format!("failed to copy from container {id}")))
    }

    /// Writes a tar archive of the root file system of a container, which need not run, into `output`.
    ///
    /// # Errors
    /// The container is not known, or `output` cannot be written.
    pub async fn export(&self, id: &str, output: OwnedFd) -> Result<(), Error> {
        let reference = ContainerReference { id: id.to_owned() };
        let exported = self.with_file::<ContainerExport>(reference, output).await;
        exported.map_err(|error| error.wrap("failed to export container"))
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
}
