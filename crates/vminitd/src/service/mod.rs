//! The `SandboxContext` service (behaviour.md 29.2): one module per group of calls.

mod announce;
mod archive;
mod changes;
mod copy;
mod environment;
mod files;
mod filesystem;
mod listing;
mod mounts;
mod names;
mod network;
mod processes;
mod proxies;
mod statistics;
mod system;
mod tarball;
mod tree;
mod waits;

use std::sync::Arc;

use container_sandbox::proto::*;
use container_sandbox::server::SandboxContext;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::launcher::Launcher;
use crate::process::{Processes, Reaper};
use crate::transport::Transport;
use environment::Environment;
use proxies::Proxies;

/// The agent's side of the service.
#[derive(Debug)]
pub struct Service {
    transport: Transport,
    processes: Processes,
    environment: Environment,
    proxies: Proxies,
}

impl Service {
    /// A service for one host. Must be made within the runtime.
    pub(crate) fn new(transport: Transport, reaper: Reaper, launcher: Arc<Launcher>) -> Self {
        let processes = Processes::new(transport.clone(), reaper, launcher);
        Self {
            environment: Environment::inherited(),
            proxies: Proxies::new(transport.clone(), processes.clone()),
            processes,
            transport,
        }
    }
}

/// A reply, from a result that is one or that only says whether it worked.
fn reply<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl SandboxContext for Service {
    type CopyStream = copy::Replies;

    async fn mount(&self, request: Request<MountRequest>) -> Result<Response<MountResponse>, Status> {
        reply(mounts::mount(request.into_inner()).await)
    }

    async fn umount(&self, request: Request<UmountRequest>) -> Result<Response<UmountResponse>, Status> {
        reply(mounts::umount(request.into_inner()).await)
    }

    async fn setenv(&self, request: Request<SetenvRequest>) -> Result<Response<SetenvResponse>, Status> {
        reply(self.environment.set(request.into_inner()))
    }

    async fn getenv(&self, request: Request<GetenvRequest>) -> Result<Response<GetenvResponse>, Status> {
        reply(Ok(self.environment.get(&request.into_inner())))
    }

    async fn mkdir(&self, request: Request<MkdirRequest>) -> Result<Response<MkdirResponse>, Status> {
        reply(files::mkdir(&request.into_inner()))
    }

    async fn sysctl(&self, request: Request<SysctlRequest>) -> Result<Response<SysctlResponse>, Status> {
        reply(system::sysctl(request.into_inner()))
    }

    async fn set_time(&self, request: Request<SetTimeRequest>) -> Result<Response<SetTimeResponse>, Status> {
        reply(system::set_time(request.into_inner()))
    }

    async fn setup_emulator(
        &self,
        request: Request<SetupEmulatorRequest>,
    ) -> Result<Response<SetupEmulatorResponse>, Status> {
        reply(system::setup_emulator(&request.into_inner()))
    }

    async fn write_file(
        &self,
        request: Request<WriteFileRequest>,
    ) -> Result<Response<WriteFileResponse>, Status> {
        reply(files::write_file(request.into_inner()).await)
    }

    async fn copy(&self, request: Request<CopyRequest>) -> Result<Response<Self::CopyStream>, Status> {
        reply(copy::copy(self.transport.clone(), request.into_inner()).await)
    }

    async fn stat(&self, request: Request<StatRequest>) -> Result<Response<StatResponse>, Status> {
        reply(Ok(files::stat(&request.into_inner())))
    }

    async fn filesystem_operation(
        &self,
        request: Request<FilesystemOperationRequest>,
    ) -> Result<Response<FilesystemOperationResponse>, Status> {
        reply(filesystem::operate(request.into_inner()).await)
    }

    async fn create_process(
        &self,
        request: Request<CreateProcessRequest>,
    ) -> Result<Response<CreateProcessResponse>, Status> {
        reply(processes::create(&self.processes, request.into_inner()).await)
    }

    async fn delete_process(
        &self,
        request: Request<DeleteProcessRequest>,
    ) -> Result<Response<DeleteProcessResponse>, Status> {
        reply(processes::delete(&self.processes, request.into_inner()).await)
    }

    async fn start_process(
        &self,
        request: Request<StartProcessRequest>,
    ) -> Result<Response<StartProcessResponse>, Status> {
        reply(processes::start(&self.processes, request.into_inner()).await)
    }

    async fn kill_process(
        &self,
        request: Request<KillProcessRequest>,
    ) -> Result<Response<KillProcessResponse>, Status> {
        reply(processes::kill(&self.processes, request.into_inner()))
    }

    async fn wait_process(
        &self,
        request: Request<WaitProcessRequest>,
    ) -> Result<Response<WaitProcessResponse>, Status> {
        reply(processes::wait(&self.processes, request.into_inner()).await)
    }

    async fn resize_process(
        &self,
        request: Request<ResizeProcessRequest>,
    ) -> Result<Response<ResizeProcessResponse>, Status> {
        reply(processes::resize(&self.processes, request.into_inner()))
    }

    async fn close_process_stdin(
        &self,
        request: Request<CloseProcessStdinRequest>,
    ) -> Result<Response<CloseProcessStdinResponse>, Status> {
        reply(processes::close_stdin(&self.processes, request.into_inner()))
    }

    async fn container_statistics(
        &self,
        request: Request<ContainerStatisticsRequest>,
    ) -> Result<Response<ContainerStatisticsResponse>, Status> {
        reply(statistics::collect(&self.processes, &request.into_inner()))
    }

    async fn container_processes(
        &self,
        request: Request<ContainerProcessesRequest>,
    ) -> Result<Response<ContainerProcessesResponse>, Status> {
        reply(listing::list(&self.processes, &request.into_inner()))
    }

    async fn fill_directory(
        &self,
        request: Request<FillDirectoryRequest>,
    ) -> Result<Response<FillDirectoryResponse>, Status> {
        reply(tree::fill(request.into_inner()).await)
    }

    async fn announce_changes(
        &self,
        request: Request<AnnounceChangesRequest>,
    ) -> Result<Response<AnnounceChangesResponse>, Status> {
        reply(announce::announce(request.into_inner()).await)
    }

    async fn overlay_changes(
        &self,
        request: Request<OverlayChangesRequest>,
    ) -> Result<Response<OverlayChangesResponse>, Status> {
        reply(changes::tell(&self.transport, &self.processes, request.into_inner()).await)
    }

    async fn proxy_vsock(
        &self,
        request: Request<ProxyVsockRequest>,
    ) -> Result<Response<ProxyVsockResponse>, Status> {
        reply(self.proxies.start(request.into_inner()))
    }

    async fn stop_vsock_proxy(
        &self,
        request: Request<StopVsockProxyRequest>,
    ) -> Result<Response<StopVsockProxyResponse>, Status> {
        reply(self.proxies.stop(&request.into_inner()))
    }

    async fn ip_link_set(
        &self,
        request: Request<IpLinkSetRequest>,
    ) -> Result<Response<IpLinkSetResponse>, Status> {
        reply(network::set_link(&request.into_inner()))
    }

    async fn ip_addr_add(
        &self,
        request: Request<IpAddrAddRequest>,
    ) -> Result<Response<IpAddrAddResponse>, Status> {
        reply(network::add_address(&request.into_inner()))
    }

    async fn ip_route_add_link(
        &self,
        request: Request<IpRouteAddLinkRequest>,
    ) -> Result<Response<IpRouteAddLinkResponse>, Status> {
        reply(network::add_link_route(&request.into_inner()))
    }

    async fn ip_route_add_default(
        &self,
        request: Request<IpRouteAddDefaultRequest>,
    ) -> Result<Response<IpRouteAddDefaultResponse>, Status> {
        reply(network::add_default_route(&request.into_inner()))
    }

    async fn configure_dns(
        &self,
        request: Request<ConfigureDnsRequest>,
    ) -> Result<Response<ConfigureDnsResponse>, Status> {
        reply(names::configure_dns(&request.into_inner()))
    }

    async fn configure_hosts(
        &self,
        request: Request<ConfigureHostsRequest>,
    ) -> Result<Response<ConfigureHostsResponse>, Status> {
        reply(names::configure_hosts(&request.into_inner()))
    }

    async fn sync(&self, _: Request<SyncRequest>) -> Result<Response<SyncResponse>, Status> {
        reply(system::sync().await)
    }

    async fn kill(&self, request: Request<KillRequest>) -> Result<Response<KillResponse>, Status> {
        reply(Ok(system::kill(&request.into_inner())))
    }
}
