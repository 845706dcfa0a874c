//! The helper's routes, each bound to its operation.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use container_client::Stdio;
use container_client::runtime::{
    Attach, Bootstrap, Changes, CopyIn, CopyOut, CreateProcess, Export, Freeze, Health, Kill, Processes,
    Resize, Shutdown, Start, State, Statistics, Stop, Stopped, Wait,
};
use container_ipc::{Error, Reply, Request, Router};

use crate::service::Runtime;
use crate::{signal, stop};

/// The router that serves `runtime`.
///
/// What changes the container runs in a task of its own, so that a caller that disappears leaves nothing half done.
pub fn router(runtime: &Arc<Runtime>) -> Router {
    let shared = || runtime.clone();
    let (boot, create, start, wait, stopped) = (shared(), shared(), shared(), shared(), shared());
    let (attach, freeze, processes, changes, health) = (shared(), shared(), shared(), shared(), shared());
    let (copy_in, copy_out, export) = (shared(), shared(), shared());
    let (kill, resize, stop, state, statistics, shutdown) =
        (shared(), shared(), shared(), shared(), shared(), shared());
    Router::new()
        .route::<Bootstrap, _, _>(move |request: Request<_>| {
            let runtime = boot.clone();
            detached(async move {
                let stdio = Stdio::join(request.payload.stdio, request.fds)?;
                runtime.bootstrap(request.payload, stdio).await
            })
        })
        .route::<CreateProcess, _, _>(move |request| {
            let runtime = create.clone();
            async move {
                let stdio = Stdio::join(request.payload.stdio, request.fds)?;
                runtime.create_process(request.payload, stdio).map(Reply::from)
            }
        })
        .route::<Attach, _, _>(move |request| {
            let runtime = attach.clone();
            async move {
                let stdio = Stdio::join(request.payload.stdio, request.fds)?;
                runtime.attach(stdio).map(Reply::from)
            }
        })
        .route::<Start, _, _>(move |request| {
            let runtime = start.clone();
            detached(async move { runtime.start(&request.payload.id).await })
        })
        .route::<Wait, _, _>(move |request| {
            let runtime = wait.clone();
            async move { runtime.wait(&request.payload.id).await.map(Reply::from) }
        })
        .route::<Stopped, _, _>(move |_| {
            let runtime = stopped.clone();
            async move { Ok(runtime.stopped().await.into()) }
        })
        .route::<Kill, _, _>(move |request| {
            let runtime = kill.clone();
            async move {
                let name = request.payload.signal;
                let number = signal::parse(&name)
                    .ok_or_else(|| Error::invalid_argument(format!("invalid signal: {name}")))?;
                runtime.kill(&request.payload.id, number).await.map(Reply::from)
            }
        })
        .route::<Resize, _, _>(move |request| {
            let runtime = resize.clone();
            async move {
                let size = request.payload;
                runtime
                    .resize(&size.id, size.width, size.height)
                    .await
                    .map(Reply::from)
            }
        })
        .route::<Stop, _, _>(move |request| {
            let runtime = stop.clone();
            detached(async move { stop::stop(&runtime, request.payload).await })
        })
        .route::<Freeze, _, _>(move |request| {
            let runtime = freeze.clone();
            detached(async move { runtime.freeze(request.payload.frozen).await })
        })
        .route::<State, _, _>(move |_| {
            let runtime = state.clone();
            async move { Ok(runtime.status().into()) }
        })
        .route::<Health, _, _>(move |request| {
            let runtime = health.clone();
            async move { Ok(runtime.health().after(request.payload.seen).await.into()) }
        })
        .route::<Statistics, _, _>(move |_| {
            let runtime = statistics.clone();
            async move { runtime.statistics().await.map(Reply::from) }
        })
        .route::<Processes, _, _>(move |_| {
            let runtime = processes.clone();
            async move { runtime.processes().await.map(Reply::from) }
        })
        .route::<Changes, _, _>(move |mut request| {
            let runtime = changes.clone();
            detached(async move {
                let output = only(&mut request.fds)?;
                runtime.changes(request.payload, output).await
            })
        })
        .route::<CopyIn, _, _>(move |mut request| {
            let runtime = copy_in.clone();
            detached(async move {
                let input = only(&mut request.fds)?;
                runtime.copy_in(request.payload, input).await
            })
        })
        .route::<CopyOut, _, _>(move |mut request| {
            let runtime = copy_out.clone();
            detached(async move {
                let output = only(&mut request.fds)?;
                runtime.copy_out(request.payload, output).await
            })
        })
        .route::<Export, _, _>(move |mut request| {
            let runtime = export.clone();
            detached(async move {
                let output = only(&mut request.fds)?;
                runtime.export(output).await
            })
        })
        .route::<Shutdown, _, _>(move |_| {
            let runtime = shutdown.clone();
            async move {
                runtime.shut_down();
                Ok(().into())
            }
        })
}

/// The descriptor that comes with a request.
fn only(fds: &mut Vec<OwnedFd>) -> Result<OwnedFd, Error> {
    fds.pop().ok_or_else(|| Error::invalid_argument("missing file"))
}

/// Runs `operation` to its end whether or not its caller waits.
async fn detached<T: Send + 'static>(
    operation: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<Reply<T>, Error> {
    match tokio::spawn(operation).await {
        Ok(result) => result.map(Reply::from),
        Err(error) => Err(Error::internal(format!("the operation failed: {error}"))),
    }
}
