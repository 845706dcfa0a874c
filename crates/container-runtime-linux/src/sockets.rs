//! Unix sockets on both sides of the virtual machine (behaviour reference, 17): those of the host that a container's
//! processes can connect to, the SSH agent's and mounted ones, and in `published` those of the container that the host can.

pub(crate) mod published;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use container_ipc::Error;
use container_resource::{ContainerConfiguration, Filesystem, FilesystemType};
use container_sandbox::proto::ProxyVsockRequest;
use container_sandbox::proto::proxy_vsock_request::Action;
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::process::{Guest, Port, limited};

/// The variable that names the SSH agent's socket, on the host and in the container.
const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";
/// The SSH agent's socket in the container.
pub(crate) const SSH_SOCKET: &str = "/var/host-services/ssh-auth.sock";
/// The same in the guest, where the container's root does not hide it.
pub(crate) const SSH_STAGED: &str = "/run/sockets/ssh-auth.sock";
/// Every user of the container may use its SSH agent: the virtual machine is the boundary.
const SSH_PERMISSIONS: u32 = 0o666;
/// How long a server may leave its queue of connections full.
const QUEUE_PATIENCE: Duration = Duration::from_secs(10);
/// Wait between two attempts.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a listener rests when the system has no descriptors.
const REST: Duration = Duration::from_millis(100);

/// Takes the host's SSH agent out of what is new at this start, and puts its socket in the container there instead.
pub(crate) fn take_ssh_agent(wanted: bool, environment: &mut BTreeMap<String, String>) -> Option<PathBuf> {
    let agent = environment.remove(SSH_VARIABLE).filter(|_| wanted);
    match &agent {
        Some(_) => {
            environment.insert(SSH_VARIABLE.to_owned(), SSH_SOCKET.to_owned());
        }
        None if wanted => tracing::warn!("{SSH_VARIABLE} is not set: no SSH agent to forward"),
        None => {}
    }
    agent.map(PathBuf::from)
}

/// Whether what is mounted is a socket of the host, which no file system can share.
pub(crate) fn is_mounted(mount: &Filesystem) -> bool {
    matches!(mount.kind, FilesystemType::Virtiofs {})
        && fs::metadata(&mount.source).is_ok_and(|found| found.file_type().is_socket())
}

/// Where in the guest the socket is that is bound to the path of a mount.
pub(crate) fn staged(configuration: &ContainerConfiguration, mount: &Filesystem) -> String {
    let mut mounts = configuration.mounts.iter();
    let index = mounts.position(|other| std::ptr::eq(other, mount));
    format!("/run/sockets/{}.sock", index.unwrap_or_default())
}

/// Makes the host's sockets reachable that are mounted into the container, with the permissions that they have.
///
/// # Errors
/// The agent cannot listen.
pub(crate) async fn forward_mounted(
    guest: &Guest,
    configuration: &ContainerConfiguration,
) -> Result<(), Error> {
    for mount in configuration.mounts.iter().filter(|mount| is_mounted(mount)) {
        let permissions = fs::metadata(&mount.source).map_or(0o600, |found| found.permissions().mode());
        let staged = staged(configuration, mount);
        forward_into(guest, PathBuf::from(&mount.source), &staged, permissions & 0o777).await?;
    }
    Ok(())
}

/// Makes the host's SSH agent reachable.
///
/// # Errors
/// The agent of the guest cannot listen.
pub(crate) async fn forward_ssh_agent(guest: &Guest, socket: PathBuf) -> Result<(), Error> {
    forward_into(guest, socket, SSH_STAGED, SSH_PERMISSIONS).await
}

/// Makes the host's socket `host` reachable at `guest_path` of the guest, for as long as the machine runs.
///
/// # Errors
/// The agent cannot listen there.
async fn forward_into(guest: &Guest, host: PathBuf, guest_path: &str, permissions: u32) -> Result<(), Error> {
    let port = guest.listen()?;
    let request = ProxyVsockRequest {
        id: guest_path.to_owned(),
        vsock_port: port.number,
        guest_path: guest_path.to_owned(),
        guest_socket_permissions: Some(permissions),
        action: Action::Into.into(),
    };
    limited(guest.agent.proxy_vsock(request)).await?;
    tokio::spawn(relay(port, host));
    Ok(())
}

async fn relay(mut port: Port, host: PathBuf) {
    let mut streams = JoinSet::new();
    // The machine's end is that of its ports.
    while let Ok(mut inner) = port.listener.accept().await {
        let host = host.clone();
        streams.spawn(async move {
            match connect(&host).await {
                // Either side may break off at any time, which is no failure.
                Ok(mut outer) => drop(copy_bidirectional(&mut inner, &mut outer).await),
                Err(error) => tracing::warn!(socket = %host.display(), %error, "failed to connect"),
            }
        });
        while streams.try_join_next().is_some() {}
    }
}

/// Connects, after those who came before: the kernel has no event for a queue that is not full any more.
async fn connect(path: &Path) -> io::Result<UnixStream> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agents_socket_is_another_one_in_the_container() {
        let given = || BTreeMap::from([(SSH_VARIABLE.to_owned(), "/tmp/agent".to_owned())]);
        let mut environment = given();
        assert_eq!(take_ssh_agent(true, &mut environment), Some("/tmp/agent".into()));
        assert_eq!(environment[SSH_VARIABLE], SSH_SOCKET);
        let mut environment = given();
        assert_eq!(take_ssh_agent(false, &mut environment), None);
        assert!(environment.is_empty());
        assert_eq!(take_ssh_agent(true, &mut environment), None);
    }
}
