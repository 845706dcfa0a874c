//! Networks as containers use them.

use container_client::api::{NetworkCreateRequest, NetworkReference};
use container_ipc::Error;
use container_resource::Network;

use super::Containers;
use super::container::Container;
use crate::networks::Networks;

impl Containers {
    /// The networks.
    pub(crate) fn networks(&self) -> &Networks {
        &self.0.networks
    }

    /// Makes a network, whether its caller waits for it or not.
    ///
    /// # Errors
    /// The name is taken or no name, something asked for is not to be had, or the helper does not start.
    pub(crate) async fn create_network(&self, request: NetworkCreateRequest) -> Result<Network, Error> {
        let networks = self.0.networks.clone();
        let create = async move { networks.create(request).await };
        self.0.work.finish(create).await
    }

    /// Deletes a network that no container, running or not, refers to.
    ///
    /// # Errors
    /// There is none of that name, it is built in, or a container refers to it.
    pub(crate) async fn delete_network(&self, request: NetworkReference) -> Result<(), Error> {
        let this = self.clone();
        let delete = async move {
            let referring = |name: &str| this.on_network(name);
            this.0.networks.delete(&request.network_id, referring).await
        };
        self.0.work.finish(delete).await
    }

    /// The ids of the containers, running or not, that refer to the network `name`.
    fn on_network(&self, name: &str) -> Vec<String> {
        let containers = self.0.table.all().into_iter();
        let on_it = containers.filter(|container| {
            let record = container.record();
            let mut networks = record.configuration.networks.iter();
            networks.any(|network| network.network == name)
        });
        on_it.map(|container| container.id.clone()).collect()
    }

    /// Waits until the networks of a container serve; gives the program of each one's helper.
    ///
    /// # Errors
    /// One of them is not there or cannot be started.
    pub(super) async fn ready_networks(&self, container: &Container) -> Result<Vec<String>, Error> {
        let mut plugins = Vec::new();
        for attachment in &container.record().configuration.networks {
            plugins.push(self.0.networks.ready(&attachment.network).await?);
        }
        Ok(plugins)
    }
}
