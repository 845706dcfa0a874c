//! ProxyVsock, StopVsockProxy: streams between a port and a Unix socket of the guest.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use container_sandbox::proto::proxy_vsock_request::Action;
use container_sandbox::proto::{
    ProxyVsockRequest, ProxyVsockResponse, StopVsockProxyRequest, StopVsockProxyResponse,
};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional_with_sizes};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};

use crate::error::{Context, Error, Result};
use crate::log::log;
use crate::process::Processes;
use crate::rooted::{Root, path_of};
use crate::transport::{Listener, Transport};

/// Bytes that one direction of a stream holds.
const BUFFER: usize = 64 * 1024;

/// How long a process may leave its queue of connections full.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);
/// Wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);

/// All proxies, by identifier.
#[derive(Debug)]
pub(super) struct Proxies {
    transport: Transport,
    processes: Processes,
    running: Mutex<HashMap<String, Proxy>>,
}

/// One proxy; dropped, it ends with all its streams.
#[derive(Debug)]
struct Proxy {
    task: AbortHandle,
    socket: Option<PathBuf>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        if let Some(socket) = &self.socket {
            // Whoever took the socket away saved us the work.
            let _ = fs::remove_file(socket);
        }
    }
}

impl Proxies {
    pub(super) fn new(transport: Transport, processes: Processes) -> Self {
        Self {
            transport,
            processes,
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<String, Proxy>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, request: ProxyVsockRequest) -> Result<ProxyVsockResponse> {
        let mut running = self.running();
        if running.contains_key(&request.id) {
            return Err(Error::Exists(format!("proxy {} already exists", request.id)));
        }
        let path = PathBuf::from(&request.guest_path);
        let (transport, port) = (self.transport.clone(), request.vsock_port);
        let proxy = match request.action() {
            Action::Into => {
                let listener = bind(&path, request.guest_socket_permissions)
                    .context(|| format!("failed to listen on {}", path.display()))?;
                let task = tokio::spawn(into_guest(listener, transport, port)).abort_handle();
                Proxy {
                    task,
                    socket: Some(path),
                }
            }
            Action::OutOf => {
                let listener = transport
                    .listen(port)
                    .context(|| format!("failed to listen on port {port}"))?;
                Proxy {
                    task: tokio::spawn(out_of_guest(listener, path, self.processes.clone())).abort_handle(),
                    socket: None,
                }
            }
        };
        running.insert(request.id, proxy);
        Ok(ProxyVsockResponse {})
    }

    pub(super) fn stop(&self, request: &StopVsockProxyRequest) -> Result<StopVsockProxyResponse> {
        match self.running().remove(&request.id) {
            Some(_) => Ok(StopVsockProxyResponse {}),
            None => Err(Error::NotFound(format!("proxy {} not found", request.id))),
        }
    }
}

/// Listens on a Unix socket; one that a former listener left is replaced.
fn bind(path: &Path, permissions: Option<u32>) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    if let Some(permissions) = permissions {
        fs::set_permissions(path, fs::Permissions::from_mode(permissions & 0o777))?;
    }
    Ok(listener)
}

/// Guest processes connect to the socket; each connection goes on to the host's port.
async fn into_guest(listener: UnixListener, transport: Transport, port: u32) {
    let mut streams = JoinSet::new();
    loop {
        let inner = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => return log!("proxy to port {port} ended: {error}"),
        };
        let transport = transport.clone();
        streams.spawn(async move {
            match transport.connect(port).await {
                Ok(outer) => join(inner, outer).await,
                Err(error) => log!("proxy cannot reach port {port}: {error}"),
            }
        });
        while streams.try_join_next().is_some() {}
    }
}

/// The host connects to the port; each connection goes on to the guest's socket.
async fn out_of_guest(mut listener: Listener, path: PathBuf, processes: Processes) {
    let mut streams = JoinSet::new();
    loop {
        let outer = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => return log!("proxy to {} ended: {error}", path.display()),
        };
        let (path, processes) = (path.clone(), processes.clone());
        streams.spawn(async move {
            match connect(&path, &processes).await {
                Ok(inner) => join(inner, outer).await,
                Err(error) => log!("proxy cannot reach {}: {error}", path.display()),
            }
        });
        while streams.try_join_next().is_some() {}
    }
}

/// Connects to a socket. One below a container's root is the one that its processes have at that path, whatever links
/// and mounts are on the way.
async fn connect(path: &Path, processes: &Processes) -> io::Result<UnixStream> {
    let Some((root, inside)) = processes.view(path) else {
        return connect_patiently(path).await;
    };
    let socket = Root::open(&root)?.locate(&inside)?;
    connect_patiently(Path::new(&path_of(&socket))).await
}

/// Connects, after those who came before: the kernel has no event for a queue that is not full any more.
async fn connect_patiently(path: &Path) -> io::Result<UnixStream> {
    let end = Instant::now() + QUEUE_PATIENCE;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < end => {
                sleep(PAUSE).await;
            }
            result => return result,
        }
    }
}

/// Copies both ways until both have ended. Either side may break off at any time, which is no failure.
async fn join<S: AsyncRead + AsyncWrite + Unpin>(mut inner: UnixStream, mut outer: S) {
    let _ = copy_bidirectional_with_sizes(&mut inner, &mut outer, BUFFER, BUFFER).await;
}
