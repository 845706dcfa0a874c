//! The two name servers that the files of macOS's resolver name.

use std::net::{Ipv4Addr, UdpSocket};

use container_client::api::ContainerFilter;
use container_client::resolver::{ADDRESSES_PORT, CONTAINERS_PORT, DIRECTORY};
use tokio_util::sync::CancellationToken;

use super::containers::Host;
use super::domains::Domains;
use super::table::{Table, serve};
use crate::containers::Containers;

/// Answers until `stop`. A port that somebody else has, such as another user's server, is logged, and the names are then
/// missing until the next start.
pub(crate) fn start(containers: &Containers, domain: Option<String>, stop: &CancellationToken) {
    let containers = containers.clone();
    let hosts = Table(move |name: &str| {
        // Without a filter there is nothing that could be wrong with it.
        let all = containers.list(ContainerFilter::default()).unwrap_or_default();
        // One that does not run has no attachments.
        let mut hosts = all.iter().flat_map(|container| {
            let asked = &container.configuration.networks;
            Host::of(&container.status.networks, asked, domain.as_deref())
        });
        hosts.find(|host| host.is_named(name)).map(|host| host.addresses)
    });
    open(CONTAINERS_PORT, hosts, stop);
    let domains = Domains::new(DIRECTORY);
    open(ADDRESSES_PORT, Table(move |name: &str| domains.find(name)), stop);
}

fn open<F>(port: u16, table: Table<F>, stop: &CancellationToken)
where
    F: Fn(&str) -> Option<container_dns::Addresses> + Send + Sync + 'static,
{
    let opened = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).and_then(|socket| serve(socket, table, stop));
    if let Err(error) = opened {
        tracing::error!(port, %error, "failed to answer the host's questions about names: is the port taken?");
    }
}
