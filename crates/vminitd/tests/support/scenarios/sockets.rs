//! Unix sockets of the guest, joined with ports.

use container_ipc::{Error, ErrorCode};
use container_sandbox::proto;
use proto::proxy_vsock_request::Action;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Guest, ROOT, soon};

impl Guest {
    async fn proxy(&self, id: &str, action: Action, port: u32, path: &str) -> Result<(), Error> {
        let request = proto::ProxyVsockRequest {
            id: id.into(),
            vsock_port: port,
            guest_path: path.into(),
            guest_socket_permissions: Some(0o660),
            action: action.into(),
        };
        soon(self.agent.proxy_vsock(request)).await.map(|_| ())
    }

    async fn stop_proxy(&self, id: &str) -> Result<(), Error> {
        let request = proto::StopVsockProxyRequest { id: id.into() };
        soon(self.agent.stop_vsock_proxy(request)).await.map(|_| ())
    }
}

/// Into the guest on one port, through a socket there, and out again on another port.
pub(crate) async fn there_and_back(guest: &Guest) {
    let (inner, outer) = (guest.port(), guest.port());
    let path = format!("{ROOT}/tmp/a.sock");
    let mut listener = guest.link.listen(outer);
    guest.proxy("into", Action::Into, outer, &path).await.unwrap();
    let again = guest
        .proxy("into", Action::Into, outer, "/run/other.sock")
        .await
        .unwrap_err();
    assert_eq!(again.code, ErrorCode::Exists);
    guest.proxy("out", Action::OutOf, inner, &path).await.unwrap();
    assert_eq!(guest.script("stat -c '%a %F' /tmp/a.sock").await, "660 socket\n");

    // Several at a time, with ends that are seen on the other side.
    let mut near = Vec::new();
    let mut far = Vec::new();
    for n in 0..3_u8 {
        let mut stream = guest.link.connect(inner).await;
        stream.write_all(&[n; 100_000]).await.unwrap();
        far.push(soon(listener.accept()).await);
        near.push(stream);
    }
    for (mut near, mut far) in near.into_iter().zip(far) {
        near.shutdown().await.unwrap();
        let mut data = Vec::new();
        soon(far.read_to_end(&mut data)).await.unwrap();
        assert_eq!(data.len(), 100_000);
        far.write_all(&data[..10]).await.unwrap();
        far.shutdown().await.unwrap();
        let mut back = Vec::new();
        soon(near.read_to_end(&mut back)).await.unwrap();
        assert_eq!(back, data[..10]);
    }

    // What is stopped is gone, with its socket and its streams.
    let mut stream = guest.link.connect(inner).await;
    let mut end = soon(listener.accept()).await;
    guest.stop_proxy("into").await.unwrap();
    guest.stop_proxy("out").await.unwrap();
    assert!(!matches!(soon(stream.read(&mut [0])).await, Ok(1..)));
    assert!(!matches!(soon(end.read(&mut [0])).await, Ok(1..)));
    assert_eq!(guest.script("ls -A /tmp").await, "");
    assert_eq!(
        guest.stop_proxy("into").await.unwrap_err().code,
        ErrorCode::NotFound
    );
    guest.proxy("into", Action::Into, outer, &path).await.unwrap();
    guest.stop_proxy("into").await.unwrap();
}
