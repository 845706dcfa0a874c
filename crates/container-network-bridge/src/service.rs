//! What the network's helper is asked for.

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use container_client::network::{AllocateRequest, SocketsRequest};
use container_ipc::Session;
use container_resource::{Attachment, NetworkStatus};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::holder::{Holder, Order};
use crate::lease::{Lease, Leases, tap_name};
use crate::network::Network;
use crate::settings::Settings;

/// The MTU of a tap device in bytes, unless its container asks for another one.
const MTU: u32 = 1500;
/// How long a name's former owner may take to go.
const SUCCESSION: Duration = Duration::from_secs(2);
/// How often that is looked at.
const TRY: Duration = Duration::from_millis(10);

/// One network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    network: Network,
    /// Held while an address is given out or taken back, with its tap device.
    exchange: tokio::sync::Mutex<()>,
    stop: CancellationToken,
}

impl Service {
    /// Serves `network` until `stop`.
    pub fn new(network: Network, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            network,
            exchange: tokio::sync::Mutex::default(),
            stop,
        }))
    }

    /// Keeps the network in order until it is told to stop, and takes it down then.
    pub async fn run(&self) {
        self.0.network.keep_up(self.0.stop.clone()).await;
        self.0.network.down().await;
    }

    /// Has the network there. What was begun is brought to its end also for a caller that does not wait: processes that
    /// are being started would otherwise be left to nobody.
    async fn up(&self) -> Result<Holder, Error> {
        let service = self.clone();
        let up = tokio::spawn(async move { service.0.network.up().await });
        up.await
            .unwrap_or_else(|error| Err(Error::Holder(self.settings().id.clone(), error.to_string())))
    }

    /// Has the network in the namespace of a machine that runs, to the end as [`up`](Self::up) does.
    async fn go_back(&self, namespace: OwnedFd, hostname: &str) -> Result<(), Error> {
        let (service, hostname) = (self.clone(), hostname.to_owned());
        let back = tokio::spawn(async move {
            let _exchange = service.0.exchange.lock().await;
            service.0.network.go_back(namespace, &hostname).await
        });
        back.await
            .unwrap_or_else(|error| Err(Error::Holder(self.settings().id.clone(), error.to_string())))
    }

    fn settings(&self) -> &Settings {
        self.0.network.settings()
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.network.leases()
    }

    pub(crate) async fn status(&self) -> Result<NetworkStatus, Error> {
        self.up().await?;
        Ok(self.settings().status())
    }

    /// Leases an address to `session`; the descriptors are those of the tap device and of the network's namespace, unless
    /// a virtual machine has them. One that does may come with its `namespace`.
    pub(crate) async fn allocate(
        &self,
        request: &AllocateRequest,
        namespace: Option<OwnedFd>,
        session: &Session,
    ) -> Result<(Attachment, Vec<OwnedFd>), Error> {
        if let Some(namespace) = namespace {
            self.go_back(namespace, &request.hostname).await?;
        }
        let holder = self.up().await?;
        let _exchange = self.free(&request.hostname, session).await?;
        let known = self.leases().of(&request.hostname).cloned();
        if let Some(lease) = known {
            return self.tap(&holder, &lease, true).await;
        }
        let taps = holder.call(Order::Interfaces).await?.names;
        let has_tap = |address: Ipv4Addr| taps.contains(&tap_name(self.settings(), address));
        let lease = self
            .leases()
            .allocate(self.settings(), session.id(), request, has_tap)?;
        // A helper whose connection was lost asks for what its virtual machine has.
        let comes_back = request.ipv4_address.is_some() && request.mac_address.is_some();
        match self.tap(&holder, &lease, comes_back && has_tap(lease.ipv4)).await {
            Ok(made) => {
                self.release_with(session.clone(), lease);
                Ok(made)
            }
            Err(error) => {
                self.leases().release(lease.ipv4);
                Err(error)
            }
        }
    }

    /// Waits until nobody else has the name `hostname`, and keeps others from taking it.
    async fn free(
        &self,
        hostname: &str,
        session: &Session,
    ) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
        let until = tokio::time::Instant::now() + SUCCESSION;
        loop {
            let exchange = self.0.exchange.lock().await;
            let taken = self
                .leases()
                .of(hostname)
                .is_some_and(|lease| lease.session != session.id());
            if !taken {
                return Ok(exchange);
            }
            drop(exchange);
            if tokio::time::Instant::now() > until {
                return Err(Error::NameTaken(hostname.to_owned(), self.settings().id.clone()));
            }
            tokio::time::sleep(TRY).await;
        }
    }

    /// The lease as the other side wants it. Its tap device is made, unless it is `kept`.
    async fn tap(
        &self,
        holder: &Holder,
        lease: &Lease,
        kept: bool,
    ) -> Result<(Attachment, Vec<OwnedFd>), Error> {
        let name = tap_name(self.settings(), lease.ipv4);
        let addresses = vec![lease.ipv4.into(), lease.ipv6.into()];
        let attachment = lease.attachment(self.settings());
        if kept {
            return Ok((attachment, Vec::new()));
        }
        // What an earlier lease left: its virtual machine may be ending still.
        let addresses_again = addresses.clone();
        let old = Order::RemoveTap {
            name: name.clone(),
            addresses: addresses_again,
        };
        holder.call(old).await?;
        let mtu = lease.mtu.unwrap_or(MTU);
        let order = Order::Tap { name, mtu, addresses };
        let mut fds = holder.exchange(order, Vec::new()).await?;
        fds.extend(self.0.network.namespace().await);
        Ok((attachment, fds))
    }

    /// Ends `lease` with the connection that it belongs to.
    fn release_with(&self, session: Session, lease: Lease) {
        let service = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = session.closed() => {}
                () = service.0.stop.cancelled() => return,
            }
            let _exchange = service.0.exchange.lock().await;
            let order = Order::RemoveTap {
                name: tap_name(service.settings(), lease.ipv4),
                addresses: vec![lease.ipv4.into(), lease.ipv6.into()],
            };
            let removed = match service.up().await {
                Ok(holder) => holder.call(order).await.map(drop).map_err(Error::from),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                tracing::warn!(hostname = lease.hostname, %error, "failed to remove a tap device");
            }
            service.leases().release(lease.ipv4);
        });
    }

    pub(crate) fn lookup(&self, hostname: &str) -> Option<Attachment> {
        let settings = self.settings();
        let leases = self.leases();
        let lease = leases.named(hostname, settings.domain.as_deref())?;
        Some(lease.attachment(settings))
    }

    pub(crate) async fn sockets(&self, request: SocketsRequest) -> Result<Vec<OwnedFd>, Error> {
        let SocketsRequest { kind, count } = request;
        let holder = self.up().await?;
        Ok(holder
            .exchange(Order::Sockets { kind, count }, Vec::new())
            .await?)
    }

    /// Takes the network down and ends the helper.
    pub(crate) async fn shut_down(&self) {
        // To its end, whether the caller waits or not.
        let service = self.clone();
        let down = tokio::spawn(async move {
            service.0.network.down().await;
            service.0.stop.cancel();
        });
        let _ = down.await;
    }
}
