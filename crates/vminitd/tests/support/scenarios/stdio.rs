//! Standard input, output and error.

use std::time::Duration;

use container_sandbox::proto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::session::{Streams, text};
use crate::support::{Guest, ID, soon};

pub(crate) async fn input_comes_back(guest: &Guest) {
    let input: Vec<u8> = (0..100_000_u32)
        .flat_map(|n| (n % 95 + 32).to_le_bytes()[..1].to_vec())
        .collect();
    let spec = guest.spec(&["sh", "-c", "cat; echo aside >&2"]);
    let outcome = guest.run(ID, &spec, Some(&input)).await.unwrap();
    assert_eq!(outcome.stdout.as_bytes(), input);
    assert_eq!(outcome.stderr, "aside\n");
    // A process that does not read its input ends all the same.
    let outcome = guest.run(ID, &guest.spec(&["true"]), Some(&input)).await.unwrap();
    assert_eq!(outcome.status, 0);
}

pub(crate) async fn large_streams_are_complete(guest: &Guest) {
    const SIZE: u64 = 64 << 20;
    let spec = guest.spec(&[
        "sh",
        "-c",
        &format!("head -c {SIZE} /dev/zero; head -c {SIZE} /dev/zero >&2"),
    ]);
    let mut session = guest.create(ID, &spec, Streams::Output).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let count = async |stream: &mut container_hypervisor::Connection| {
        let mut buffer = vec![1; 1 << 20];
        let mut total = 0;
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return total,
                amount => {
                    assert!(buffer[..amount].iter().all(|byte| *byte == 0));
                    total += amount as u64;
                }
            }
        }
    };
    let (mut stdout, mut stderr) = (session.stdout.take().unwrap(), session.stderr.take().unwrap());
    let counts = async { tokio::join!(count(&mut stdout), count(&mut stderr)) };
    assert_eq!(
        tokio::time::timeout(4 * crate::support::PATIENCE, counts)
            .await
            .unwrap(),
        (SIZE, SIZE)
    );
    assert_eq!(guest.wait(ID).await.unwrap(), 0);
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn a_stalled_stream_holds_nothing_else_up(guest: &Guest) {
    let spec = guest.spec(&[
        "sh",
        "-c",
        // Nobody reads standard output: it is full when its writer sleeps.
        "yes stalled & until grep -q State:.S /proc/$!/status; do sleep 0.01; done; \
         while read line; do echo \"$line\" >&2; done; kill $!",
    ]);
    let mut session = guest.create(ID, &spec, Streams::All).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let (mut stdin, mut stderr) = (session.stdin.take().unwrap(), session.stderr.take().unwrap());
    for _ in 0..20 {
        stdin.write_all(b"hello\n").await.unwrap();
        let mut line = [0; 6];
        soon(stderr.read_exact(&mut line)).await.unwrap();
        assert_eq!(&line, b"hello\n");
    }
    stdin.shutdown().await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 0);
    let stdout = soon(text(session.stdout.take())).await;
    assert!(
        stdout.len() >= 64 << 10 && stdout.starts_with("stalled\n"),
        "{}",
        stdout.len()
    );
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn a_background_process_keeps_only_its_stream(guest: &Guest) {
    let spec = guest.spec(&["sleep", "1000"]);
    guest.create(ID, &spec, Streams::None).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let spec = guest.spec(&["sh", "-c", "sleep 1000 & echo done"]);
    let mut session = guest.create("other", &spec, Streams::Output).await.unwrap();
    guest.start_process("other").await.unwrap();
    assert_eq!(guest.wait("other").await.unwrap(), 0);
    let mut stdout = session.stdout.take().unwrap();
    let mut said = [0; 5];
    soon(stdout.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"done\n");
    tokio::time::timeout(Duration::from_millis(300), stdout.read_u8())
        .await
        .unwrap_err();
    // Forgetting the process ends its streams.
    guest.delete("other").await.unwrap();
    assert_eq!(soon(text(Some(stdout))).await, "");
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.wait(ID).await.unwrap();
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn closing_standard_input(guest: &Guest) {
    let mut session = guest
        .create(ID, &guest.spec(&["cat"]), Streams::All)
        .await
        .unwrap();
    guest.start_process(ID).await.unwrap();
    let mut stdin = session.stdin.take().unwrap();
    stdin.write_all(b"all of it").await.unwrap();
    let request = proto::CloseProcessStdinRequest {
        id: ID.into(),
        container_id: Some(ID.into()),
    };
    soon(guest.agent.close_process_stdin(request)).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 0);
    assert_eq!(soon(text(session.stdout.take())).await, "all of it");
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn a_closed_stream_is_a_closed_pipe(guest: &Guest) {
    let spec = guest.spec(&["sh", "-c", "yes || true; echo ended >&2"]);
    let mut session = guest.create(ID, &spec, Streams::All).await.unwrap();
    guest.start_process(ID).await.unwrap();
    let mut stdout = session.stdout.take().unwrap();
    let mut said = [0; 2];
    soon(stdout.read_exact(&mut said)).await.unwrap();
    assert_eq!(&said, b"y\n");
    drop(stdout);
    assert_eq!(guest.wait(ID).await.unwrap(), 0);
    assert!(soon(text(session.stderr.take())).await.ends_with("ended\n"));
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn no_streams_at_all(guest: &Guest) {
    let spec = guest.spec(&["sh", "-c", "cat; echo into the void; echo and this >&2"]);
    let session = guest.create(ID, &spec, Streams::None).await.unwrap();
    assert!(session.stdout.is_none());
    guest.start_process(ID).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 0);
    guest.delete(ID).await.unwrap();

    // A host that goes away does not stop the process.
    let spec = guest.spec(&[
        "sh",
        "-c",
        "for i in 1 2 3; do head -c 100000 /dev/zero; done; exit 4",
    ]);
    let session = guest.create(ID, &spec, Streams::Output).await.unwrap();
    drop(session);
    guest.start_process(ID).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 4);
    guest.delete(ID).await.unwrap();
}
