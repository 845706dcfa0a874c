//! Deleting a container (behaviour reference, 11.9).

use container_client::api::ContainerDeleteRequest;
use container_ipc::Error;

use super::{Containers, not_found};

impl Containers {
    /// Deletes a container, which `force_delete` kills first.
    ///
    /// # Errors
    /// The container is not known, or runs and is not to be killed.
    pub(crate) async fn delete(&self, request: ContainerDeleteRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move {
            let running = || {
                let text = format!("container {} is running and can not be deleted", container.id);
                Error::invalid_state(text)
            };
            let mut killed = false;
            if let Some(run) = container.run().await {
                if !request.force_delete {
                    return Err(running());
                }
                this.kill_init(&container, &run).await?;
                killed = true;
            }
            let _turn = container.life.lock().await;
            if container.is_deleted() {
                // Its end was its deletion (`--rm`), or somebody else was faster.
                return if killed {
                    Ok(())
                } else {
                    Err(not_found(&container.id))
                };
            }
            if container.current_run().is_some() {
                return Err(running());
            }
            let freed = this.remove(&container).await?;
            // The name is free already; a failure is only logged.
            let _ = freed.await;
            Ok(())
        };
        self.0.work.finish(operation).await
    }
}
