//! Terminals.

use container_hypervisor::Connection;
use container_sandbox::proto;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::session::Streams;
use crate::support::{Guest, ID, soon};

/// Reads until the stream has said something.
async fn until(stream: &mut Connection, expected: &str) -> String {
    let mut said = String::new();
    while !said.contains(expected) {
        let mut buffer = [0; 1024];
        let amount = soon(stream.read(&mut buffer)).await.unwrap();
        assert!(amount > 0, "ended after {said:?}");
        said += std::str::from_utf8(&buffer[..amount]).unwrap();
    }
    said
}

pub(crate) async fn a_terminal_is_one(guest: &Guest) {
    let mut spec = guest.spec(&[
        "sh",
        "-c",
        "tty; echo $TERM; stty size; echo hi >/dev/console; read x; echo got $x; exit 5",
    ]);
    spec["process"]["terminal"] = json!(true);
    spec["process"]["consoleSize"] = json!({ "height": 33, "width": 99 });
    let mut session = guest.create(ID, &spec, Streams::Terminal).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let (mut stdin, mut stdout) = (session.stdin.take().unwrap(), session.stdout.take().unwrap());
    assert_eq!(
        until(&mut stdout, "hi\r\n").await,
        "/dev/pts/0\r\nxterm\r\n33 99\r\nhi\r\n"
    );
    stdin.write_all(b"typed\n").await.unwrap();
    // The terminal echoes.
    assert_eq!(
        until(&mut stdout, "got typed\r\n").await,
        "typed\r\ngot typed\r\n"
    );
    assert_eq!(guest.wait(ID).await.unwrap(), 5);
    assert_eq!(soon(stdout.read(&mut [0])).await.unwrap(), 0);
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn resizing(guest: &Guest) {
    let mut spec = guest.spec(&[
        "sh",
        "-c",
        "stty size; trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done",
    ]);
    spec["process"]["terminal"] = json!(true);
    spec["process"]["user"] = json!({ "username": "mat" });
    let mut session = guest.create(ID, &spec, Streams::Terminal).await.unwrap();
    let resize = async |rows, columns| {
        let request = proto::ResizeProcessRequest {
            id: ID.into(),
            container_id: Some(ID.into()),
            rows,
            columns,
        };
        soon(guest.agent.resize_process(request)).await
    };
    guest.start_process(ID).await.unwrap();
    let (mut stdin, mut stdout) = (session.stdin.take().unwrap(), session.stdout.take().unwrap());
    until(&mut stdout, "up\r\n").await;
    resize(50, 120).await.unwrap();
    until(&mut stdout, "50 120\r\n").await;
    assert!(resize(70_000, 1).await.is_err());
    // Interrupt, as a key.
    stdin.write_all(b"\x03").await.unwrap();
    // A first process without a handler does not get it, but its children do; so the terminal is hung up.
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.wait(ID).await.unwrap();
    guest.delete(ID).await.unwrap();

    let session = guest
        .create(ID, &guest.spec(&["true"]), Streams::Output)
        .await
        .unwrap();
    let error = resize(1, 1).await.unwrap_err();
    assert!(error.message.contains("has no terminal"), "{error}");
    drop(session);
    guest.delete(ID).await.unwrap();
}
