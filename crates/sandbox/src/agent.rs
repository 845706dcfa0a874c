//! The host's side of the service.

use std::io;
use std::sync::{Arc, Mutex};

use container_ipc::{Error, ErrorCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::MAX_MESSAGE_SIZE;
use crate::client::SandboxContextClient;
use crate::error_from_status;
use crate::proto::{self, copy_response};

/// A connection to the agent of one virtual machine.
///
/// Clones share the connection, and calls may overlap. No call has a deadline
/// of its own, because some wait for a process to end: put a
/// `tokio::time::timeout` around those that should not take long. Dropping a
/// call's future cancels it in the guest.
///
/// A connection that ends fails every call in flight and every later one with
/// `Interrupted`; it is never made again.
#[derive(Debug, Clone)]
pub struct Agent {
    client: SandboxContextClient<Channel>,
}

/// Defines methods of [`Agent`], one RPC each.
macro_rules! calls {
    ($($(#[$doc:meta])* $method:ident($request:ident) -> $reply:ident;)*) => {
        $(
            $(#[$doc])*
            ///
            /// # Errors
            /// The agent's, with its code and message; `Interrupted` when the connection is lost.
            pub async fn $method(&self, request: proto::$request) -> Result<proto::$reply, Error> {
                let reply = self.client.clone().$method(request).await;
                reply.map(tonic::Response::into_inner).map_err(|status| error_from_status(&status))
            }
        )*
    };
}

impl Agent {
    /// Speaks with the agent over `stream`, which is connected to its
    /// [`AGENT_PORT`](crate::AGENT_PORT). Must be called within a runtime.
    ///
    /// # Errors
    /// `Interrupted` when the stream ends at once.
    pub async fn connect<S>(stream: S) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = Arc::new(Mutex::new(Some(stream)));
        let connector = service_fn(move |_| {
            let stream = stream.lock().ok().and_then(|mut stream| stream.take());
            async move {
                let lost = || io::Error::new(io::ErrorKind::NotConnected, "connection to the agent is lost");
                stream.map(TokioIo::new).ok_or_else(lost)
            }
        });
        // The address is what the protocol wants to see; nothing is looked up.
        let channel = Endpoint::from_static("http://agent")
            .connect_with_connector(connector)
            .await
            .map_err(|error| {
                Error::new(
                    ErrorCode::Interrupted,
                    format!("failed to connect to the agent: {error}"),
                )
            })?;
        let client = SandboxContextClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_SIZE)
            .max_encoding_message_size(MAX_MESSAGE_SIZE);
        Ok(Self { client })
    }

    calls! {
        /// Mounts a file system, creating the mount point.
        mount(MountRequest) -> MountResponse;
        /// Unmounts a file system.
        umount(UmountRequest) -> UmountResponse;
        /// Sets or removes a variable of the agent's environment.
        setenv(SetenvRequest) -> SetenvResponse;
        /// Reads a variable of the agent's environment.
        getenv(GetenvRequest) -> GetenvResponse;
        /// Makes a directory.
        mkdir(MkdirRequest) -> MkdirResponse;
        /// Writes kernel settings below `/proc/sys`.
        sysctl(SysctlRequest) -> SysctlResponse;
        /// Sets the guest's wall clock.
        set_time(SetTimeRequest) -> SetTimeResponse;
        /// Registers an interpreter with binfmt_misc.
        setup_emulator(SetupEmulatorRequest) -> SetupEmulatorResponse;
        /// Writes one small file.
        write_file(WriteFileRequest) -> WriteFileResponse;
        /// Describes a path; a path that cannot be read is told in the reply.
        stat(StatRequest) -> StatResponse;
        /// Trims, freezes or thaws a mounted file system.
        filesystem_operation(FilesystemOperationRequest) -> FilesystemOperationResponse;
        /// Registers a process.
        create_process(CreateProcessRequest) -> CreateProcessResponse;
        /// Forgets a process.
        delete_process(DeleteProcessRequest) -> DeleteProcessResponse;
        /// Runs a registered process.
        start_process(StartProcessRequest) -> StartProcessResponse;
        /// Sends a signal to a process.
        kill_process(KillProcessRequest) -> KillProcessResponse;
        /// Waits until a process has ended, however long that takes.
        wait_process(WaitProcessRequest) -> WaitProcessResponse;
        /// Tells a process's terminal its size.
        resize_process(ResizeProcessRequest) -> ResizeProcessResponse;
        /// Ends a process's standard input.
        close_process_stdin(CloseProcessStdinRequest) -> CloseProcessStdinResponse;
        /// Reads resource counters.
        container_statistics(ContainerStatisticsRequest) -> ContainerStatisticsResponse;
        /// Lists the processes of a container; Apple's agent does not know how.
        container_processes(ContainerProcessesRequest) -> ContainerProcessesResponse;
        /// Writes what an overlay has changed to a port of the host; Apple's agent does not know how.
        overlay_changes(OverlayChangesRequest) -> OverlayChangesResponse;
        /// Fills an empty directory with what another one has; Apple's agent does not know how.
        fill_directory(FillDirectoryRequest) -> FillDirectoryResponse;
        /// Tells watchers of changes in shared directories; Apple's agent does not know how.
        announce_changes(AnnounceChangesRequest) -> AnnounceChangesResponse;
        /// Joins a port with a Unix socket in the guest.
        proxy_vsock(ProxyVsockRequest) -> ProxyVsockResponse;
        /// Ends what [`proxy_vsock`](Self::proxy_vsock) started.
        stop_vsock_proxy(StopVsockProxyRequest) -> StopVsockProxyResponse;
        /// Brings a network interface up or down.
        ip_link_set(IpLinkSetRequest) -> IpLinkSetResponse;
        /// Gives a network interface an address.
        ip_addr_add(IpAddrAddRequest) -> IpAddrAddResponse;
        /// Adds a route to a destination on the link.
        ip_route_add_link(IpRouteAddLinkRequest) -> IpRouteAddLinkResponse;
        /// Adds a default route.
        ip_route_add_default(IpRouteAddDefaultRequest) -> IpRouteAddDefaultResponse;
        /// Writes a `resolv.conf`.
        configure_dns(ConfigureDnsRequest) -> ConfigureDnsResponse;
        /// Writes a `hosts` file.
        configure_hosts(ConfigureHostsRequest) -> ConfigureHostsResponse;
        /// Writes everything that is cached to the disks.
        sync(SyncRequest) -> SyncResponse;
        /// Sends a signal to a process id of the virtual machine.
        kill(KillRequest) -> KillResponse;
    }

    /// Starts moving a file or a tree between host and guest. The caller must
    /// be listening on the request's port, which the agent dials.
    ///
    /// # Errors
    /// The agent's, with its code and message; `Interrupted` when the connection is lost.
    pub async fn copy(&self, request: proto::CopyRequest) -> Result<CopyProgress, Error> {
        let reply = self.client.clone().copy(request).await;
        let replies = reply.map_err(|status| error_from_status(&status))?.into_inner();
        Ok(CopyProgress { replies })
    }
}

/// How a copy goes. Dropping it cancels the copy.
#[derive(Debug)]
pub struct CopyProgress {
    replies: Streaming<proto::CopyResponse>,
}

impl CopyProgress {
    /// The next reply; `None` when the copy is complete.
    ///
    /// # Errors
    /// The one that a reply carries, as `InternalError`; else as for any call.
    pub async fn next(&mut self) -> Result<Option<proto::CopyResponse>, Error> {
        let reply = self
            .replies
            .message()
            .await
            .map_err(|status| error_from_status(&status))?;
        match reply {
            Some(reply) if !reply.error.is_empty() => Err(Error::new(ErrorCode::InternalError, reply.error)),
            Some(reply) if reply.status() == copy_response::Status::Complete => Ok(None),
            Some(reply) => Ok(Some(reply)),
            None => Err(Error::new(ErrorCode::Interrupted, "copy ended without a result")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_that_ends_interrupts_every_call() {
        let (ours, theirs) = tokio::io::duplex(4096);
        let agent = Agent::connect(ours).await.unwrap();
        drop(theirs);
        for _ in 0..2 {
            let error = agent.sync(proto::SyncRequest {}).await.unwrap_err();
            assert_eq!(error.code, ErrorCode::Interrupted, "{error:?}");
        }
    }
}
