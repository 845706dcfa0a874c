//! Giving a container another id.

use container_client::Bundle;
use container_client::api::ContainerRenameRequest;
use container_ipc::Error;
use container_resource::ContainerConfiguration;
use container_resource::event::Action;

use super::container::Container;
use super::create::check_id;
use super::{Containers, not_found};
use crate::work::blocking;

impl Containers {
    /// Gives a stopped container another id, which its host names follow.
    ///
    /// # Errors
    /// The container is not known or runs, or the new id is taken or not valid.
    pub(crate) async fn rename(&self, request: ContainerRenameRequest) -> Result<(), Error> {
        check_id(&request.new_id)?;
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move {
            container.settled().await;
            let _turn = container.life.lock().await;
            if container.is_deleted() {
                return Err(not_found(&container.id));
            }
            if container.current_run().is_some() {
                let text = format!("container {} is running and can not be renamed", container.id);
                return Err(Error::invalid_state(text));
            }
            let mut record = (*container.record()).clone();
            rename(&mut record.configuration, &request.new_id);
            let reservation = this.0.table.reserve(&record.configuration)?;
            let old = container.bundle.clone();
            let new = Bundle::new(old.path().with_file_name(&request.new_id));
            let (bundle, record) = blocking(move || {
                // The server that finds a bundle between these two steps takes the second one.
                old.store_configuration(&record)?;
                std::fs::rename(old.path(), new.path())?;
                Ok((new, record))
            })
            .await?;
            let started = container.snapshot().status.started_date;
            let renamed = Container::found(bundle, record, started, container.exit());
            renamed.ended_before(container.exit());
            renamed.settle();
            reservation.fill(renamed);
            let new_id = request.new_id.clone();
            this.tell(&container, Action::Rename, Some(("newId", new_id)));
            container.delete();
            this.0.table.remove(&container);
            tracing::info!(id = container.id, new = request.new_id, "renamed container");
            Ok(())
        };
        self.0.work.finish(operation).await
    }
}

/// Puts `id` in the place of the old one, in names on networks too.
fn rename(configuration: &mut ContainerConfiguration, id: &str) {
    let old = std::mem::replace(&mut configuration.id, id.to_owned());
    for network in &mut configuration.networks {
        let hostname = &mut network.options.hostname;
        match hostname.strip_prefix(&old) {
            Some(domain) if domain.is_empty() || domain.starts_with('.') => {
                *hostname = format!("{id}{domain}");
            }
            _ => {}
        }
    }
}
