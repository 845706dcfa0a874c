//! What the network's helper is asked for, and its routes (behaviour reference, 27.6).

use std::io;
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
use crate::sockets;

/// The MTU in bytes of who asks for none, as Apple's: it fits through what a Mac's VPNs leave.
const DEFAULT_MTU: u32 = 1280;
/// The largest one, which Virtualization.framework's devices have.
const MAX_MTU: u32 = 1500;
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

/// An interface, and what its user gets of it.
#[derive(Debug, Default)]
struct Made {
    interface: Option<Box<dyn Interface>>,
    descriptors: Vec<OwnedFd>,
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
        attachment.mtu.get_or_insert(DEFAULT_MTU);
        if self.0.interfaces.is_none() {
            // Its prefix is macOS's own business.
            attachment.ipv6_address = None;
        }
        attachment
    }

    /// The attachment of a name, and descriptors for whoever asks; `given` is the helper's end of a virtual machine's
    /// socket, which an earlier process of this helper made.
    async fn allocate(
        &self,
        request: &AllocateRequest,
        given: Option<OwnedFd>,
        session: &Session,
    ) -> Result<(Attachment, Vec<OwnedFd>), Error> {
        if given.as_ref().is_some_and(|end| !sockets::is_end(end)) {
            return Err(Error::NoSocket);
        }
        if let Some(mtu) = request.mtu.filter(|mtu| *mtu > MAX_MTU) {
            return Err(Error::Mtu(mtu));
        }
        let lease = match self.lease(request, session).await? {
            (lease, true) => lease,
            (lease, false) => return Ok((self.attachment(&lease), Vec::new())),
        };
        // On its own, so that a caller who does not wait any more leaves no lease behind.
        let (service, session) = (self.clone(), session.clone());
        let provided = tokio::spawn(async move { service.provide(&lease, given, session).await });
        provided
            .await
            .map_err(|error| Error::System("failed to make an interface", io::Error::other(error)))?
    }

    /// Makes the interface of a new lease, and ends both with the connection.
    async fn provide(
        &self,
        lease: &Lease,
        given: Option<OwnedFd>,
        session: Session,
    ) -> Result<(Attachment, Vec<OwnedFd>), Error> {
        let (service, address) = (self.clone(), lease.ipv4);
        // vmnet takes a while, and others ask meanwhile.
        let made = tokio::task::spawn_blocking(move || service.interface(given)).await;
        let made = made
            .map_err(|error| Error::System("failed to make an interface", io::Error::other(error)))
            .flatten();
        let made = made.inspect_err(|_| self.leases().release(address))?;
        self.release_with(session, address, made.interface);
        Ok((self.attachment(lease), made.descriptors))
    }

    /// An interface whose frames go through `given`, or else through a new socket, whose ends come with it: the virtual
    /// machine's, and a copy of the helper's. There is none on the network that all virtual machines share. Blocks.
    fn interface(&self, given: Option<OwnedFd>) -> Result<Made, Error> {
        let Some(interfaces) = &self.0.interfaces else {
            return Ok(Made::default());
        };
        let (ours, descriptors) = match given {
            Some(ours) => (ours, Vec::new()),
            None => {
                let made = sockets::pair().and_then(|(ours, theirs)| Ok((ours.try_clone()?, theirs, ours)));
                let (kept, theirs, ours) =
                    made.map_err(|error| Error::System("failed to make sockets", error))?;
                (ours, vec![theirs, kept])
            }
        };
        Ok(Made {
            interface: Some(interfaces.make(ours)?),
            descriptors,
        })
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
    fn release_with(&self, session: Session, address: Ipv4Addr, interface: Option<Box<dyn Interface>>) {
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
                let given = request.fds.into_iter().next();
                let (value, fds) = service
                    .allocate(&request.payload, given, &request.session)
                    .await?;
                Ok(Reply { value, fds })
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
