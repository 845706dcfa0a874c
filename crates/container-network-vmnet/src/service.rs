//! What the network's helper is asked for, and its routes (behaviour reference, 27.6).

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use container_client::network::{Allocate, AllocateRequest, Lookup, Shutdown, Status};
use container_ipc::{Reply, Router, Session};
use container_network_bridge::lease::{Lease, Leases};
use container_network_bridge::{Error as LeaseError, Settings};
use container_resource::Attachment;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::interfaces::{Interface, Interfaces};
use crate::shared::Shared;

/// How long a name's former owner may take to go.
const SUCCESSION: Duration = Duration::from_secs(2);
/// How often that is looked at.
const TRY: Duration = Duration::from_millis(10);

/// One network. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    /// None where all virtual machines share one network.
    interfaces: Option<Box<dyn Interfaces>>,
    leases: Mutex<Leases>,
    stop: CancellationToken,
}

impl Service {
    /// Serves the network of its own that `interfaces` are on, or without any the shared one, until `stop`.
    pub fn new(settings: Settings, interfaces: Option<Box<dyn Interfaces>>, stop: CancellationToken) -> Self {
        let leases = Mutex::new(Leases::open(&settings));
        Self(Arc::new(Inner {
            settings,
            interfaces,
            leases,
            stop,
        }))
    }

    fn leases(&self) -> MutexGuard<'_, Leases> {
        self.0.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attachment(&self, lease: &Lease) -> Attachment {
        let mut attachment = lease.attachment(&self.0.settings);
        if self.0.interfaces.is_none() {
            // Its prefix is macOS's own business.
            attachment.ipv6_address = None;
        }
        attachment
    }

    async fn allocate(
        &self,
        request: &AllocateRequest,
        session: &Session,
    ) -> Result<(Attachment, Option<OwnedFd>), Error> {
        let lease = match self.lease(request, session).await? {
            (lease, true) => lease,
            (lease, false) => return Ok((self.attachment(&lease), None)),
        };
        let made = match &self.0.interfaces {
            Some(interfaces) => interfaces.make(lease.mtu),
            None => Shared.make(lease.mtu),
        };
        match made {
            Ok((device, interface)) => {
                let attachment = self.attachment(&lease);
                self.release_with(session.clone(), lease.ipv4, interface);
                Ok((attachment, device))
            }
            Err(error) => {
                self.leases().release(lease.ipv4);
                Err(error)
            }
        }
    }

    /// The lease of the name on this connection, and whether it is a new one.
    async fn lease(&self, request: &AllocateRequest, session: &Session) -> Result<(Lease, bool), Error> {
        let (inner, until) = (&*self.0, Instant::now() + SUCCESSION);
        loop {
            {
                let mut leases = self.leases();
                match leases.of(&request.hostname) {
                    Some(known) if known.session == session.id() => return Ok((known.clone(), false)),
                    Some(_) => {}
                    None => {
                        let others = |address| {
                            inner.interfaces.is_none() && Shared::is_others(&inner.settings, address)
                        };
                        let lease = leases.allocate(&inner.settings, session.id(), request, others)?;
                        return Ok((lease, true));
                    }
                }
            }
            if Instant::now() > until {
                let (name, id) = (request.hostname.clone(), inner.settings.id.clone());
                return Err(LeaseError::NameTaken(name, id).into());
            }
            sleep(TRY).await;
        }
    }

    /// Ends a lease with the connection that it belongs to.
    fn release_with(&self, session: Session, address: Ipv4Addr, interface: Box<dyn Interface>) {
        let service = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = session.closed() => {}
                () = service.0.stop.cancelled() => {}
            }
            // Ending an interface takes a while.
            let ended = tokio::task::spawn_blocking(move || drop(interface)).await;
            if let Err(error) = ended {
                tracing::error!(%error, "failed to end an interface");
            }
            service.leases().release(address);
        });
    }

    fn lookup(&self, hostname: &str) -> Option<Attachment> {
        let leases = self.leases();
        let lease = leases.named(hostname, self.0.settings.domain.as_deref())?;
        Some(self.attachment(lease))
    }
}

/// The routes of a network that cannot be, which say why.
pub fn refusal(error: Error, stop: CancellationToken) -> Router {
    let error = container_ipc::Error::from(error);
    Router::new()
        .route::<Status, _, _>(move |_| {
            let error = error.clone();
            async move { Err(error) }
        })
        .route::<Shutdown, _, _>(move |_| {
            stop.cancel();
            async move { Ok::<_, container_ipc::Error>(().into()) }
        })
}

/// The routes of `service`. There is none for sockets: the host itself reaches the addresses.
pub fn router(service: &Service) -> Router {
    let (status, allocate) = (service.clone(), service.clone());
    let (lookup, shutdown) = (service.clone(), service.clone());
    Router::new()
        .route::<Status, _, _>(move |_| {
            let status = status.0.settings.status();
            async move { Ok::<_, container_ipc::Error>(status.into()) }
        })
        .route::<Allocate, _, _>(move |request| {
            let service = allocate.clone();
            async move {
                let (value, device) = service.allocate(&request.payload, &request.session).await?;
                Ok(Reply {
                    value,
                    fds: device.into_iter().collect(),
                })
            }
        })
        .route::<Lookup, _, _>(move |request| {
            let found = lookup.lookup(&request.payload.hostname);
            async move { Ok::<_, container_ipc::Error>(found.into()) }
        })
        .route::<Shutdown, _, _>(move |_| {
            shutdown.0.stop.cancel();
            async move { Ok::<_, container_ipc::Error>(().into()) }
        })
}
