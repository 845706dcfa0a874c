//! Changing what can be changed of a container: labels and restart policy.

use container_client::api::ContainerUpdateRequest;
use container_ipc::Error;
use container_resource::RestartPolicy;
use container_resource::event::Action;

use super::{Containers, not_found};
use crate::work::blocking;

impl Containers {
    /// Changes a container, whether it runs or not.
    ///
    /// # Errors
    /// The container is not known, or the restart policy is none, or contradicts `--rm`.
    pub(crate) async fn update(&self, request: ContainerUpdateRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let policy = request.restart_policy.as_deref().map(RestartPolicy::parse);
        let policy = policy
            .transpose()
            .map_err(|error| Error::invalid_argument(error.to_string()))?;
        let this = self.clone();
        let operation = async move {
            let _turn = container.life.lock().await;
            if container.is_deleted() {
                return Err(not_found(&container.id));
            }
            let mut record = (*container.record()).clone();
            let labels = &mut record.configuration.labels;
            labels.retain(|key, _| !request.removed_labels.contains(key));
            labels.extend(request.labels);
            if let Some(policy) = policy {
                if policy.is_some() && record.options.auto_remove {
                    let text = "a container that is deleted when it stops cannot have a restart policy";
                    return Err(Error::invalid_argument(text));
                }
                record.configuration.restart_policy = policy;
            }
            let bundle = container.bundle.clone();
            let record = blocking(move || {
                bundle.store_configuration(&record)?;
                Ok(record)
            })
            .await?;
            container.change(record);
            this.tell(&container, Action::Update, None);
            Ok(())
        };
        self.0.work.finish(operation).await
    }
}
