//! Unix sockets of the host that a container's processes can connect to (behaviour reference, 17).

use std::collections::BTreeMap;
use std::path::PathBuf;

use container_ipc::Error;
use container_sandbox::proto::ProxyVsockRequest;
use container_sandbox::proto::proxy_vsock_request::Action;
use tokio::io::copy_bidirectional;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::process::{Guest, Port, limited};

/// The variable that names the SSH agent's socket, on the host and in the container.
const SSH_VARIABLE: &str = "SSH_AUTH_SOCK";
/// The SSH agent's socket in the container.
pub(crate) const SSH_SOCKET: &str = "/var/host-services/ssh-auth.sock";
/// The same in the guest, where the container's root does not hide it.
pub(crate) const SSH_STAGED: &str = "/run/sockets/ssh-auth.sock";
/// Every user of the container may use its sockets: the virtual machine is the boundary.
const PERMISSIONS: u32 = 0o666;

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

/// Makes the host's socket `host` reachable at `guest_path` of the guest, for as long as the machine runs.
///
/// # Errors
/// The agent cannot listen there.
pub(crate) async fn forward_into(guest: &Guest, host: PathBuf, guest_path: &str) -> Result<(), Error> {
    let port = guest.listen()?;
    let request = ProxyVsockRequest {
        id: guest_path.to_owned(),
        vsock_port: port.number,
        guest_path: guest_path.to_owned(),
        guest_socket_permissions: Some(PERMISSIONS),
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
            match UnixStream::connect(&host).await {
                // Either side may break off at any time, which is no failure.
                Ok(mut outer) => drop(copy_bidirectional(&mut inner, &mut outer).await),
                Err(error) => tracing::warn!(socket = %host.display(), %error, "failed to connect"),
            }
        });
        while streams.try_join_next().is_some() {}
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
