//! The way out of a privileged user's network: a pair of interfaces and the host's own routing.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use container_netlink::{self as netlink, Cidr, Route};
use container_resource::NetworkMode;
use ipnet::IpNet;

use super::forwarding::Forwarding;
use super::link::{Link, PREFIX4, PREFIX6};
use super::monitor::Monitor;
use crate::error::Error;
use crate::holder::{Holder, Order, UPLINK};
use crate::settings::Settings;
use crate::{nft, rules};

/// The MTU of the pair in bytes, as of most ways further on.
const MTU: u32 = 1500;

/// How long rules may go on changing before they are looked at.
const SETTLE: Duration = Duration::from_millis(250);

/// An interface on the host whose other end is in the network's namespace.
#[derive(Debug)]
pub(crate) struct Veth {
    name: String,
    link: Link,
    /// The table of the host's rules.
    table: String,
    links: Monitor,
    rules: Monitor,
    forwarding: Mutex<Option<Forwarding>>,
}

impl Veth {
    /// Has the pair there. What a predecessor left is used where it is right, and else replaced.
    ///
    /// # Errors
    /// The system refuses something.
    pub(super) async fn ensure(settings: &Settings, holder: &Holder) -> Result<Self, Error> {
        let name = rules::host_interface(settings);
        let failed = |error| Error::System("failed to connect the network with the host", error);
        let links = Monitor::of_links().map_err(failed)?;
        let rules = Monitor::of_rules().map_err(failed)?;
        let others: Vec<IpAddr> = if_addrs::get_if_addrs()
            .map_err(failed)?
            .into_iter()
            .filter(|interface| interface.name != name)
            .map(|interface| interface.ip())
            .collect();
        let link = Link::choose(settings, &others)?;
        let inside = holder.call(Order::Interfaces).await?.names;
        if !inside.iter().any(|name| name == UPLINK) || !netlink::link_exists(&name).map_err(failed)? {
            // Either end takes the other one along; a namespace that is gone may have left one for a moment.
            netlink::delete_link(&name).map_err(failed)?;
            let (_, namespaces) = holder.namespaces().await?;
            let namespace = namespaces.first().map(AsFd::as_fd);
            let namespace =
                namespace.ok_or_else(|| Error::Uplink("the network has no namespace".to_owned()))?;
            netlink::add_veth(&name, UPLINK, namespace).map_err(failed)?;
        }
        remove_orphans().await;
        configure_host(&name, &link).map_err(failed)?;
        route_to(settings, &name, &link)?;
        let routers = match settings.mode {
            NetworkMode::Nat => link.host(),
            NetworkMode::HostOnly => Vec::new(),
        };
        let order = Order::Uplink {
            mtu: MTU,
            addresses: link.own(),
            routers,
        };
        holder.call(order).await?;
        let forwarding = match settings.mode {
            NetworkMode::Nat => Some(
                Forwarding::enable()
                    .map_err(|error| Error::System("failed to have the host forward packets", error))?,
            ),
            NetworkMode::HostOnly => None,
        };
        Ok(Self {
            name,
            link,
            table: rules::host_table(settings),
            links,
            rules,
            forwarding: Mutex::new(forwarding),
        })
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    /// Loads the rules on the host's side.
    pub(super) async fn load_rules(&self, settings: &Settings, localhosts: &[Ipv4Addr]) -> Result<(), Error> {
        if !localhosts.is_empty() {
            let path = format!("/proc/sys/net/ipv4/conf/{}/route_localnet", self.name);
            std::fs::write(path, "1").map_err(|error| {
                Error::System("failed to let the network reach the host's loopback", error)
            })?;
        }
        load(rules::of_host(settings, &self.link, localhosts)).await
    }

    /// Resolves when the interface or the rules are gone: somebody loads a new set of rules, say.
    pub(super) async fn lost(&self) {
        tokio::select! {
            () = self.link_lost() => {}
            () = self.rules_lost() => {}
        }
    }

    async fn link_lost(&self) {
        while netlink::link_exists(&self.name).unwrap_or(true) {
            if self.links.event().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn rules_lost(&self) {
        while self.rules.event().await.is_ok() {
            // Where rules change once they often do again.
            tokio::time::sleep(SETTLE).await;
            let table = self.table.clone();
            let there = tokio::task::spawn_blocking(move || nft::has_table(&table)).await;
            if !there.unwrap_or(true) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Lets the host forward packets no longer than others need it.
    pub(super) fn release(&self) {
        let forwarding = self
            .forwarding
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(forwarding) = forwarding {
            forwarding.release();
        }
    }
}

/// Removes the interface and the rules of a network from the host, whoever made them.
pub(super) async fn remove(settings: &Settings) {
    let name = rules::host_interface(settings);
    if let Err(error) = netlink::delete_link(&name) {
        tracing::error!(interface = name, %error, "failed to remove an interface");
    }
    if let Err(error) = load(rules::without_host(settings)).await {
        tracing::error!(%error, "failed to remove the network's rules");
    }
}

/// Removes the rules of networks whose interface is gone: somebody killed all of their processes. Who is just making the
/// interface again loads the rules after that.
async fn remove_orphans() {
    let removed = tokio::task::spawn_blocking(|| {
        for table in nft::tables() {
            let interface = rules::interface_of(&table);
            if interface.is_some_and(|name| !netlink::link_exists(&name).unwrap_or(true)) {
                tracing::info!(table, "removing the rules of a network that is gone");
                nft::load(&rules::without(&table))?;
            }
        }
        Ok::<_, String>(())
    });
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(error, "failed to remove the rules of a network that is gone");
    }
}

/// The addresses of the host's end.
fn configure_host(name: &str, link: &Link) -> std::io::Result<()> {
    netlink::set_link(name, true, Some(MTU))?;
    let mut addresses: Vec<(IpAddr, u8)> =
        vec![(link.host4.into(), PREFIX4), (link.loopback.into(), PREFIX4)];
    if has_ipv6(name) {
        addresses.push((link.host6.into(), PREFIX6));
    }
    let mut cidrs = addresses
        .into_iter()
        .map(|(address, prefix)| Cidr { address, prefix });
    cidrs.try_for_each(|cidr| netlink::add_address(name, cidr))
}

/// The host's routes to the network.
fn route_to(settings: &Settings, name: &str, link: &Link) -> Result<(), Error> {
    let (ipv4, ipv6) = (settings.ipv4, settings.ipv6);
    let first = (IpNet::V4(ipv4), link.own4.into(), link.host4.into());
    let second = (IpNet::V6(ipv6), link.own6.into(), link.host6.into());
    let routes = [Some(first), has_ipv6(name).then_some(second)];
    for (net, gateway, from) in routes.into_iter().flatten() {
        let to = Cidr {
            address: net.network(),
            prefix: net.prefix_len(),
        };
        netlink::claim_route(name, Route::Via { to, gateway, from }).map_err(|error| {
            match (error.kind(), net) {
                (ErrorKind::AlreadyExists, IpNet::V4(net)) => Error::SubnetTaken(settings.id.clone(), net),
                (ErrorKind::AlreadyExists, IpNet::V6(net)) => Error::Uplink(format!(
                    "the host has a route to {net} already: choose another subnet, or remove what has this one"
                )),
                _ => Error::System("failed to route to the network", error),
            }
        })?;
    }
    Ok(())
}

/// Whether the host lets an interface have IPv6 addresses.
fn has_ipv6(name: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    let disabled = std::fs::read_to_string(Path::new(&path));
    disabled.is_ok_and(|text| text.trim() == "0")
}

async fn load(rules: String) -> Result<(), Error> {
    let loaded = tokio::task::spawn_blocking(move || nft::load(&rules)).await;
    loaded
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(Error::Uplink)
}
