//! The way between a network and the outside.

mod forwarding;
mod link;
mod monitor;
mod pasta;
mod veth;

use std::net::Ipv4Addr;

use container_resource::NetworkMode;

use crate::error::Error;
use crate::holder::{Holder, Order, is_privileged};
use crate::rules;
use crate::settings::Settings;

pub(crate) use link::Link;
use pasta::Pasta;
use veth::Veth;

/// The way between a network and the outside.
#[derive(Debug)]
pub(crate) enum Uplink {
    /// A pair of interfaces, one end in the host's namespace.
    Veth(Veth),
    /// A process that makes connections in the name of the host's user.
    Pasta(Pasta),
    /// None: an ordinary user's network for the host alone, which is reached through published ports.
    Absent,
}

impl Uplink {
    /// Has the way there, from or to the holder's namespace, with all rules. `former` is what this process had before.
    ///
    /// # Errors
    /// Something cannot be made.
    pub(crate) async fn ensure(
        settings: &Settings,
        holder: &Holder,
        former: Option<&Self>,
        localhosts: &[Ipv4Addr],
    ) -> Result<Self, Error> {
        let uplink = if is_privileged() {
            Self::Veth(Veth::ensure(settings, holder).await?)
        } else if settings.mode == NetworkMode::Nat {
            let former = match former {
                Some(Self::Pasta(pasta)) => Some(pasta),
                _ => None,
            };
            Self::Pasta(Pasta::ensure(settings, holder, former).await?)
        } else {
            Self::Absent
        };
        uplink.load_rules(settings, holder, localhosts).await?;
        Ok(uplink)
    }

    /// Loads the rules on both sides.
    ///
    /// # Errors
    /// `nft` is missing or refuses them.
    pub(crate) async fn load_rules(
        &self,
        settings: &Settings,
        holder: &Holder,
        localhosts: &[Ipv4Addr],
    ) -> Result<(), Error> {
        let (link, translate) = match self {
            Self::Veth(veth) => (Some(veth.link()), false),
            Self::Pasta(pasta) => (Some(pasta.link()), true),
            Self::Absent => (None, false),
        };
        let inside = rules::of_namespace(settings, link, translate, localhosts);
        holder.call(Order::Rules(inside)).await?;
        match self {
            Self::Veth(veth) => veth.load_rules(settings, localhosts).await,
            _ => Ok(()),
        }
    }

    /// Resolves when the way is gone.
    pub(crate) async fn lost(&self) {
        match self {
            Self::Veth(veth) => veth.lost().await,
            Self::Pasta(pasta) => pasta.lost().await,
            Self::Absent => std::future::pending().await,
        }
    }

    /// Resolves when no process of the way runs any more. Its holder ends it.
    pub(crate) async fn ended(&self) {
        if let Self::Pasta(pasta) = self {
            pasta.lost().await;
        }
    }

    /// Ends what the way needs of the host as a whole.
    pub(crate) fn release(&self) {
        if let Self::Veth(veth) = self {
            veth.release();
        }
    }
}

/// Removes what a network has on the host's side. The rest goes with the holder.
pub(crate) async fn remove(settings: &Settings) {
    if is_privileged() {
        veth::remove(settings).await;
    }
}
