//! Routes, payloads and calls about networks (behaviour reference, 15 and 27.3).

use std::collections::BTreeMap;
use std::time::Duration;

use container_ipc::{Error, Route};
use container_resource::{Network, NetworkMode};
use serde::{Deserialize, Serialize};

use super::client::ApiClient;
use super::routes::routes;

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));
const TEN_SECONDS: Option<Duration> = Some(Duration::from_secs(10));

routes! {
    /// Makes a network and starts its helper.
    NetworkCreate = "networkCreate", MINUTE, NetworkCreateRequest => Network;
    /// Deletes a network that no container refers to.
    NetworkDelete = "networkDelete", MINUTE, NetworkReference => ();
    /// Every network. Nobody else is asked, so it comes at once.
    NetworkList = "networkList", TEN_SECONDS, () => Vec<Network>;
}

/// What [`NetworkCreate`] takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkCreateRequest {
    /// The name.
    pub name: String,
    /// Where it leads.
    #[serde(default)]
    pub mode: NetworkMode,
    /// The IPv4 subnet, `192.168.64.0/24`; a free one otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv4_subnet: Option<String>,
    /// The IPv6 subnet, `fd00::/64`; a random one otherwise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ipv6_subnet: Option<String>,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The program of its helper.
    pub plugin: String,
    /// Options, which are kept.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// Names a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkReference {
    /// The network's name.
    pub network_id: String,
}

impl ApiClient {
    /// Makes a network.
    ///
    /// # Errors
    /// The name is taken or no name, a subnet overlaps another one, or the helper does not start; nothing is left then.
    pub async fn create_network(&self, request: NetworkCreateRequest) -> Result<Network, Error> {
        self.client.call::<NetworkCreate>(request).await
    }

    /// Every network, ordered by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn networks(&self) -> Result<Vec<Network>, Error> {
        self.client.call::<NetworkList>(()).await
    }

    /// Deletes a network.
    ///
    /// # Errors
    /// There is none of that name, it is the built-in one, or a container refers to it.
    pub async fn delete_network(&self, name: &str) -> Result<(), Error> {
        let request = NetworkReference {
            network_id: name.to_owned(),
        };
        self.client.call::<NetworkDelete>(request).await
    }
}
