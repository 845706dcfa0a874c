//! Sockets of the container that the host reaches: `--publish-socket`.

use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_hypervisor::VirtualMachine;
use container_ipc::Error;
use container_resource::{ContainerConfiguration, PublishSocket};
use container_sandbox::proto::ProxyVsockRequest;
use container_sandbox::proto::proxy_vsock_request::Action;
use tokio::io::copy_bidirectional;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::error::Error as RuntimeError;
use crate::guest;
use crate::process::{Guest, limited};

/// A socket on the host. Its file goes with it, unless it is somebody else's by then.
#[derive(Debug)]
pub(crate) struct Published {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
    /// The socket in the guest.
    inner: String,
}

impl Drop for Published {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.file) {
            // Whoever is faster saves us the work.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Makes the host's sockets, with their directories. Whoever connects waits until [`serve`].
///
/// # Errors
/// There is something at a path already; then no socket is made.
pub(crate) fn bind(configuration: &ContainerConfiguration) -> Result<Vec<Published>, RuntimeError> {
    let root = guest::root_path(&configuration.id);
    let one = |socket: &PublishSocket| {
        let failed = |error| RuntimeError::Socket(socket.host_path.clone(), error);
        let path = PathBuf::from(&socket.host_path);
        let listener = listen(&path, socket.permissions).map_err(failed)?;
        let found = fs::symlink_metadata(&path).map_err(failed)?;
        Ok(Published {
            listener,
            path,
            file: identity(&found),
            inner: format!("{root}{}", socket.container_path),
        })
    };
    configuration.published_sockets.iter().map(one).collect()
}

/// Listens at `path`. A socket that nobody listens at any more is replaced; nothing else ever is.
fn listen(path: &Path, permissions: Option<u32>) -> io::Result<UnixListener> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let stale = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
        && StdUnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if stale {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    if let Some(permissions) = permissions {
        fs::set_permissions(path, Permissions::from_mode(permissions & 0o777))?;
    }
    Ok(listener)
}

/// Forwards every connection into the guest, until the answer is dropped.
///
/// # Errors
/// The agent does not obey.
pub(crate) async fn serve(sockets: Vec<Published>, guest: &Guest) -> Result<JoinSet<()>, Error> {
    let mut tasks = JoinSet::new();
    for socket in sockets {
        let port = guest.next_port();
        let request = ProxyVsockRequest {
            id: socket.path.display().to_string(),
            vsock_port: port,
            guest_path: socket.inner.clone(),
            guest_socket_permissions: None,
            action: Action::OutOf.into(),
        };
        limited(guest.agent.proxy_vsock(request)).await?;
        tasks.spawn(relay(socket, Arc::clone(&guest.machine), port));
    }
    Ok(tasks)
}

async fn relay(socket: Published, machine: Arc<dyn VirtualMachine>, port: u32) {
    let mut streams = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => accepted,
            Some(_) = streams.join_next() => continue,
        };
        let mut outer = match accepted {
            Ok((outer, _)) => outer,
            Err(error) => {
                tracing::warn!(socket = %socket.path.display(), %error, "failed to accept a connection");
                tokio::time::sleep(super::REST).await;
                continue;
            }
        };
        let machine = Arc::clone(&machine);
        streams.spawn(async move {
            match machine.connect(port).await {
                // Either side may break off at any time, which is no failure.
                Ok(mut inner) => drop(copy_bidirectional(&mut outer, &mut inner).await),
                Err(error) => tracing::warn!(%error, "failed to connect to a socket of the container"),
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn only_what_nobody_uses_is_replaced_and_only_our_own_removed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new/s");
        let mut configuration = testing::configuration("web");
        configuration.published_sockets = vec![PublishSocket {
            host_path: path.display().to_string(),
            container_path: "/run/s".to_owned(),
            permissions: Some(0o600),
        }];
        let mode = || fs::metadata(&path).expect("a socket").mode() & 0o777;

        let sockets = bind(&configuration).expect("a socket");
        assert_eq!(sockets[0].inner, "/run/container/web/rootfs/run/s");
        assert_eq!(mode(), 0o600);
        assert!(bind(&configuration).is_err(), "somebody listens");
        drop(sockets);
        assert!(!path.exists());

        // What a helper that was killed leaves.
        drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
        let sockets = bind(&configuration).expect("a socket");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "kept").expect("a file");
        drop(sockets);
        assert_eq!(fs::read_to_string(&path).expect("the file"), "kept");
        assert!(bind(&configuration).is_err());
        assert_eq!(fs::read_to_string(&path).expect("the file"), "kept");
    }
}
