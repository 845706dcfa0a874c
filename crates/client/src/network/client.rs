//! The typed client of a network's helper.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use container_ipc::{Call, Client, Endpoint, Error};
use container_resource::{Attachment, NetworkStatus};

use super::routes::*;
use crate::services;

/// A connection to one network's helper. Leases end with it.
#[derive(Debug, Clone)]
pub struct NetworkClient {
    client: Client,
}

/// An address on a network, and what a virtual machine is attached with.
#[derive(Debug)]
pub struct Lease {
    /// The address and the rest of what the interface is.
    pub attachment: Attachment,
    /// The interface's other end, where the platform has one: a tap device, or a socket with a frame per message.
    pub device: Option<OwnedFd>,
    /// What another process of the helper needs to go on with it, for [`NetworkClient::resume`]: the other end of that
    /// socket, or the namespace of the tap device.
    pub helpers_end: Option<OwnedFd>,
}

impl NetworkClient {
    /// Connects to the helper `plugin` of the network `id`.
    ///
    /// # Errors
    /// The helper does not run.
    pub async fn connect(runtime_directory: &Path, plugin: &str, id: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::new(runtime_directory, &services::network(plugin, id));
        Ok(Self {
            client: Client::connect(&endpoint).await?,
        })
    }

    /// What the network is.
    ///
    /// # Errors
    /// The helper does not answer.
    pub async fn status(&self) -> Result<NetworkStatus, Error> {
        self.client.call::<Status>(()).await
    }

    /// The same of a helper that has just been started and sets the network up first, which may take until `deadline`.
    ///
    /// # Errors
    /// What the helper says about why the network cannot be set up, or that it ended without a word.
    pub async fn ready(&self, deadline: Duration) -> Result<NetworkStatus, Error> {
        let call = Call {
            deadline: Some(Some(deadline)),
            ..Call::default()
        };
        Ok(self.client.call_with::<Status>((), call).await?.value)
    }

    /// Leases an address until this connection closes.
    ///
    /// # Errors
    /// There is no free address, the one asked for is taken, or the interface cannot be made.
    pub async fn allocate(&self, request: AllocateRequest) -> Result<Lease, Error> {
        self.lease(request, Vec::new()).await
    }

    /// The same for a machine that has had its interface from a helper that is gone, and `helpers_end` with it: frames go
    /// on through its socket, or in its namespace.
    ///
    /// # Errors
    /// As [`allocate`](Self::allocate).
    pub async fn resume(
        &self,
        request: AllocateRequest,
        helpers_end: Option<OwnedFd>,
    ) -> Result<Lease, Error> {
        self.lease(request, helpers_end.into_iter().collect()).await
    }

    async fn lease(&self, request: AllocateRequest, fds: Vec<OwnedFd>) -> Result<Lease, Error> {
        let call = Call {
            fds,
            ..Call::default()
        };
        let reply = self.client.call_with::<Allocate>(request, call).await?;
        let mut fds = reply.fds.into_iter();
        Ok(Lease {
            attachment: reply.value,
            device: fds.next(),
            helpers_end: fds.next(),
        })
    }

    /// Who has the name `hostname`.
    ///
    /// # Errors
    /// The helper does not answer.
    pub async fn lookup(&self, hostname: &str) -> Result<Option<Attachment>, Error> {
        let request = LookupRequest {
            hostname: hostname.to_owned(),
        };
        self.client.call::<Lookup>(request).await
    }

    /// Makes up to [`MAX_SOCKETS`] sockets that reach the network's addresses.
    ///
    /// # Errors
    /// The helper does not answer, or cannot make a socket.
    pub async fn sockets(&self, kind: SocketKind, count: u8) -> Result<Vec<OwnedFd>, Error> {
        let request = SocketsRequest { kind, count };
        let reply = self.client.call_with::<Sockets>(request, Call::default()).await?;
        Ok(reply.fds)
    }

    /// Removes the network from the host and ends the helper.
    ///
    /// # Errors
    /// The helper does not answer.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.client.call::<Shutdown>(()).await
    }

    /// Resolves when the helper is gone.
    pub async fn closed(&self) {
        self.client.closed().await;
    }
}
