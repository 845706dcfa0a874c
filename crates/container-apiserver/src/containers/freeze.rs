//! Freezing a container's processes, and letting them go on.

use container_client::api::ContainerFreezeRequest;
use container_ipc::Error;
use container_resource::event::Action;

use super::Containers;

impl Containers {
    /// Freezes a container's processes, or lets them go on.
    ///
    /// # Errors
    /// The container is not known or does not run, or is what it is asked to be already.
    pub(crate) async fn freeze(&self, request: ContainerFreezeRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move {
            let run = container.live().await?;
            run.client.freeze(request.frozen).await?;
            container.report(&run, run.client.state().await?);
            let action = if request.frozen {
                Action::Pause
            } else {
                Action::Unpause
            };
            this.tell(&container, action, None);
            Ok(())
        };
        self.0.work.finish(operation).await
    }
}
