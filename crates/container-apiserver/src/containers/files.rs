//! Copies and archives of a container's files, which need not run (behaviour reference, 14.2 and 14.3).

use std::os::fd::OwnedFd;
use std::sync::Arc;

use container_client::RuntimeClient;
use container_client::api::{ContainerChangesRequest, ContainerCopyInRequest, ContainerCopyOutRequest};
use container_ipc::Error;

use super::Containers;
use super::container::Container;
use super::not_found;

impl Containers {
    /// Makes the files of an archive in a container.
    ///
    /// # Errors
    /// The container is not known, or the helper's.
    pub(crate) async fn copy_in(
        &self,
        request: ContainerCopyInRequest,
        files: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let (id, input) = (request.id.clone(), only(files)?);
        self.on_helper(
            &id,
            true,
            |helper| async move { helper.copy_in(request, input).await },
        )
        .await
    }

    /// Writes an archive of a path of a container.
    ///
    /// # Errors
    /// The container is not known, or the helper's.
    pub(crate) async fn copy_out(
        &self,
        request: ContainerCopyOutRequest,
        files: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let (id, output) = (request.id.clone(), only(files)?);
        self.on_helper(&id, true, |helper| async move {
            helper.copy_out(request, output).await
        })
        .await
    }

    /// Writes an archive of a container's root file system.
    ///
    /// # Errors
    /// The container is not known, or the helper's.
    pub(crate) async fn export(&self, id: &str, files: Vec<OwnedFd>) -> Result<(), Error> {
        let output = only(files)?;
        self.on_helper(id, false, |helper| async move { helper.export(output).await })
            .await
    }

    /// Writes what a container has changed of its image.
    ///
    /// # Errors
    /// The container is not known, or the helper's.
    pub(crate) async fn changes(
        &self,
        request: ContainerChangesRequest,
        files: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let (id, output) = (request.id, only(files)?);
        self.on_helper(&id, false, move |helper| async move {
            helper.changes(request.options, output).await
        })
        .await
    }

    /// Calls the helper of a container. One that does not run gets a helper for this call alone: nobody can start or
    /// delete the container meanwhile. `mounted`: the call needs its volumes.
    ///
    /// # Errors
    /// The container is not known, another one writes to its volumes, or the call fails.
    pub(super) async fn on_helper<T: Send + 'static, F>(
        &self,
        id: &str,
        mounted: bool,
        call: impl FnOnce(RuntimeClient) -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>> + Send,
    {
        let container = self.find(id)?;
        let this = self.clone();
        let operation = async move {
            if let Some(run) = container.run().await {
                return call(run.client.clone()).await;
            }
            let turn = container.life.lock().await;
            if container.is_deleted() {
                return Err(not_found(&container.id));
            }
            if let Some(run) = container.current_run() {
                drop(turn);
                return call(run.client.clone()).await;
            }
            if !mounted {
                return this.alone(&container, call).await;
            }
            let mounts = &container.record().configuration.mounts;
            this.0.volumes.claim(&container.id, mounts)?;
            let result = this.alone(&container, call).await;
            this.0.volumes.release(&container.id);
            result
        };
        // A caller that goes away closes its end of the file, which ends the call.
        self.0.work.finish(operation).await
    }

    /// Starts a helper for one call.
    async fn alone<T, F>(
        &self,
        container: &Arc<Container>,
        call: impl FnOnce(RuntimeClient) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let run = self.launch(container).await?;
        let result = call(run.client.clone()).await;
        self.dismiss(container, &run).await;
        result
    }
}

/// The one file that comes with a request.
fn only(files: Vec<OwnedFd>) -> Result<OwnedFd, Error> {
    let [file] = <[OwnedFd; 1]>::try_from(files).map_err(|_| Error::invalid_argument("missing file"))?;
    Ok(file)
}
