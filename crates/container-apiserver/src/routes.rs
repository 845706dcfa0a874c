//! Which route is answered by what (behaviour reference, 27.3).

use container_client::Stdio;
use container_client::api::{
    ContainerAttach, ContainerBootstrap, ContainerChanges, ContainerCopyIn, ContainerCopyOut,
    ContainerCreate, ContainerCreateProcess, ContainerDelete, ContainerDiskUsage, ContainerExport,
    ContainerFreeze, ContainerKill, ContainerList, ContainerLogs, ContainerProcesses, ContainerRename,
    ContainerResize, ContainerRestart, ContainerStartProcess, ContainerStats, ContainerStop, ContainerUpdate,
    ContainerWait, Events, GetDefaultKernel, InstallKernel, Ping, PingReply, SystemDiskUsage, VolumeCreate,
    VolumeDelete, VolumeDiskUsage, VolumeInspect, VolumeList,
};
use container_client::api::{NetworkCreate, NetworkDelete, NetworkList};
use container_ipc::{Error, Reply, Request, Route, Router};

use crate::containers::Containers;
use crate::kernels::Kernels;

/// Everything that the server answers.
pub(crate) fn router(ping: PingReply, containers: &Containers, kernels: &Kernels) -> Router {
    Router::new()
        .route::<Ping, _, _>(move |_| {
            let reply = ping.clone();
            async move { Ok(reply.into()) }
        })
        .merge(reading(containers))
        .merge(changing(containers))
        .merge(processes(containers))
        .merge(volumes(containers))
        .merge(networks(containers))
        .merge(installing(kernels))
}

fn reading(containers: &Containers) -> Router {
    let router = Router::new();
    let router = on::<ContainerList, _, _>(router, containers, |containers, request| async move {
        containers.list(request.payload)
    });
    let router = on::<ContainerStats, _, _>(router, containers, |containers, request| async move {
        containers.statistics(&request.payload.id).await
    });
    let router = on::<Events, _, _>(router, containers, |containers, request| async move {
        Ok(containers.events(request.payload).await)
    });
    let router = on::<ContainerProcesses, _, _>(router, containers, |containers, request| async move {
        containers.processes(&request.payload.id).await
    });
    let router = on::<ContainerChanges, _, _>(router, containers, |containers, request| async move {
        containers.changes(request.payload, request.fds).await
    });
    let router = on::<ContainerCopyIn, _, _>(router, containers, |containers, request| async move {
        containers.copy_in(request.payload, request.fds).await
    });
    let router = on::<ContainerCopyOut, _, _>(router, containers, |containers, request| async move {
        containers.copy_out(request.payload, request.fds).await
    });
    let router = on::<ContainerExport, _, _>(router, containers, |containers, request| async move {
        containers.export(&request.payload.id, request.fds).await
    });
    let router = on::<ContainerDiskUsage, _, _>(router, containers, |containers, request| async move {
        containers.disk_usage(&request.payload.id).await
    });
    let router = on::<SystemDiskUsage, _, _>(router, containers, |containers, _| async move {
        containers.system_disk_usage().await
    });
    let containers = containers.clone();
    router.route::<ContainerLogs, _, _>(move |request| {
        let containers = containers.clone();
        async move {
            Ok(Reply {
                value: (),
                fds: containers.logs(&request.payload.id)?,
            })
        }
    })
}

fn changing(containers: &Containers) -> Router {
    let router = Router::new();
    let router = on::<ContainerCreate, _, _>(router, containers, |containers, request| async move {
        containers.create(request.payload, request.progress).await
    });
    let router = on::<ContainerBootstrap, _, _>(router, containers, |containers, request| async move {
        let stdio = Stdio::join(request.payload.stdio, request.fds)?;
        containers.bootstrap(request.payload, stdio).await
    });
    let router = on::<ContainerStop, _, _>(router, containers, |containers, request| async move {
        containers.stop(request.payload).await
    });
    let router = on::<ContainerFreeze, _, _>(router, containers, |containers, request| async move {
        containers.freeze(request.payload).await
    });
    let router = on::<ContainerRename, _, _>(router, containers, |containers, request| async move {
        containers.rename(request.payload).await
    });
    let router = on::<ContainerUpdate, _, _>(router, containers, |containers, request| async move {
        containers.update(request.payload).await
    });
    let router = on::<ContainerRestart, _, _>(router, containers, |containers, request| async move {
        containers.restart(request.payload).await
    });
    let router = on::<ContainerKill, _, _>(router, containers, |containers, request| async move {
        containers.kill(request.payload).await
    });
    on::<ContainerDelete, _, _>(router, containers, |containers, request| async move {
        containers.delete(request.payload).await
    })
}

fn processes(containers: &Containers) -> Router {
    let router = Router::new();
    let router = on::<ContainerCreateProcess, _, _>(router, containers, |containers, request| async move {
        let stdio = Stdio::join(request.payload.stdio, request.fds)?;
        containers.create_process(request.payload, stdio).await
    });
    let router = on::<ContainerAttach, _, _>(router, containers, |containers, request| async move {
        let stdio = Stdio::join(request.payload.stdio, request.fds)?;
        containers.attach(&request.payload.id, stdio).await
    });
    let router = on::<ContainerStartProcess, _, _>(router, containers, |containers, request| async move {
        containers.start_process(request.payload).await
    });
    let router = on::<ContainerWait, _, _>(router, containers, |containers, request| async move {
        containers.wait(request.payload).await
    });
    on::<ContainerResize, _, _>(router, containers, |containers, request| async move {
        containers.resize(request.payload).await
    })
}

fn volumes(containers: &Containers) -> Router {
    let router = Router::new();
    let router = on::<VolumeCreate, _, _>(router, containers, |containers, request| async move {
        containers.create_volume(request.payload).await
    });
    let router = on::<VolumeDelete, _, _>(router, containers, |containers, request| async move {
        containers.delete_volume(request.payload).await
    });
    let router = on::<VolumeList, _, _>(router, containers, |containers, _| async move {
        Ok(containers.volumes().list())
    });
    let router = on::<VolumeInspect, _, _>(router, containers, |containers, request| async move {
        containers.volumes().inspect(&request.payload.volume_name)
    });
    on::<VolumeDiskUsage, _, _>(router, containers, |containers, request| async move {
        containers.volumes().allocated(&request.payload.volume_name).await
    })
}

fn networks(containers: &Containers) -> Router {
    let router = Router::new();
    let router = on::<NetworkCreate, _, _>(router, containers, |containers, request| async move {
        containers.create_network(request.payload).await
    });
    let router = on::<NetworkDelete, _, _>(router, containers, |containers, request| async move {
        containers.delete_network(request.payload).await
    });
    on::<NetworkList, _, _>(router, containers, |containers, _| async move {
        Ok(containers.networks().list())
    })
}

fn installing(kernels: &Kernels) -> Router {
    let router = Router::new();
    let router = on::<InstallKernel, _, _>(router, kernels, |kernels, request| async move {
        kernels.install(request.payload, request.progress).await
    });
    on::<GetDefaultKernel, _, _>(router, kernels, |kernels, request| async move {
        kernels.default(&request.payload.system_platform)
    })
}

/// Answers `R` with what `handler` gives, without descriptors.
fn on<R, S, Fut>(router: Router, service: &S, handler: fn(S, Request<R::Request>) -> Fut) -> Router
where
    R: Route,
    S: Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R::Response, Error>> + Send + 'static,
{
    let service = service.clone();
    router.route::<R, _, _>(move |request| {
        let answer = handler(service.clone(), request);
        async move { answer.await.map(Reply::from) }
    })
}
