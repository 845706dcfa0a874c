//! Processes begin, get signals, and end.

use container_ipc::ErrorCode;
use container_sandbox::proto;
use serde_json::json;

use crate::support::session::Streams;
use crate::support::{Guest, ID, soon};

pub(crate) async fn exit_statuses(guest: &Guest) {
    for (script, status) in [
        ("exit 0", 0),
        ("exit 42", 42),
        ("exit 255", 255),
        ("kill -9 $$; sleep 9", 137),
    ] {
        // As a child, since a first process does not get signals that it does not handle.
        let outcome = guest
            .container(&["sh", "-c", &format!("sh -c '{script}'; exit $?")])
            .await;
        assert_eq!(outcome.status, status, "{script}");
    }
}

pub(crate) async fn programs_that_cannot_run(guest: &Guest) {
    let attempt = async |program: &str| guest.run(ID, &guest.spec(&[program]), None).await.unwrap_err();
    let error = attempt("no-such-program").await;
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(
        error
            .message
            .contains("failed to find target executable no-such-program"),
        "{error}"
    );
    assert_eq!(attempt("/opt/nothing").await.code, ErrorCode::NotFound);
    let error = attempt("/opt/plain").await;
    assert_eq!(error.code, ErrorCode::InvalidState);
    assert!(error.message.contains("permission denied"), "{error}");
    assert_eq!(attempt("/opt").await.code, ErrorCode::InvalidState);
    let error = attempt("/opt/lost").await;
    assert!(
        error.message.contains("failed to run /opt/lost: No such file"),
        "{error}"
    );
    // None of them left anything behind.
    assert_eq!(guest.container(&["true"]).await.status, 0);
}

pub(crate) async fn signals(guest: &Guest) {
    let script = "trap 'echo got USR1' USR1; trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut session = guest
        .create(ID, &guest.spec(&["sh", "-c", script]), Streams::Output)
        .await
        .unwrap();
    assert_eq!(
        guest.kill(ID, libc::SIGTERM).await.unwrap_err().code,
        ErrorCode::InvalidState
    );
    guest.start_process(ID).await.unwrap();
    let mut stdout = tokio::io::BufReader::new(session.stdout.take().unwrap());
    let mut line = async || {
        let mut line = String::new();
        soon(tokio::io::AsyncBufReadExt::read_line(&mut stdout, &mut line))
            .await
            .unwrap();
        line
    };
    assert_eq!(line().await, "ready\n");
    assert_eq!(guest.kill(ID, libc::SIGUSR1).await.unwrap(), 0);
    assert_eq!(line().await, "got USR1\n");
    guest.kill(ID, libc::SIGTERM).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 7);
    // One that has ended takes every signal.
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.delete(ID).await.unwrap();

    let session = guest
        .create(ID, &guest.spec(&["sleep", "1000"]), Streams::Output)
        .await
        .unwrap();
    guest.start_process(ID).await.unwrap();
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap(), 128 + libc::SIGKILL);
    guest.delete(ID).await.unwrap();
    drop(session);
}

pub(crate) async fn life_cycle(guest: &Guest) {
    let spec = guest.spec(&["sleep", "1000"]);
    let session = guest.create(ID, &spec, Streams::None).await.unwrap();
    let again = guest.create(ID, &spec, Streams::None).await.err().unwrap();
    assert_eq!(again.code, ErrorCode::Exists);
    let pid = guest.start_process(ID).await.unwrap();
    assert!(pid > 1);
    assert_eq!(
        guest.start_process(ID).await.unwrap_err().code,
        ErrorCode::InvalidState
    );
    assert_eq!(guest.delete(ID).await.unwrap_err().code, ErrorCode::InvalidState);
    for id in ["nobody", "../x", ""] {
        assert!(guest.start_process(id).await.is_err(), "{id}");
    }
    // Everything but the agent.
    let kill = proto::KillRequest {
        pid: -1,
        signal: libc::SIGKILL,
    };
    assert_eq!(soon(guest.agent.kill(kill)).await.unwrap().result, 0);
    assert_eq!(guest.wait(ID).await.unwrap(), 137);
    assert_eq!(guest.wait(ID).await.unwrap(), 137);
    guest.delete(ID).await.unwrap();
    assert_eq!(guest.wait(ID).await.unwrap_err().code, ErrorCode::NotFound);
    drop(session);
    // A container that was never started can be deleted, and its identifier used again.
    guest.create(ID, &spec, Streams::None).await.unwrap();
    guest.delete(ID).await.unwrap();
    assert_eq!(guest.container(&["true"]).await.status, 0);
}

pub(crate) async fn orphans_are_reaped(guest: &Guest) {
    // The last thing a first process does not do is wait for its children: the kernel kills them, the agent
    // reaps them.
    let outcome = guest
        .container(&["sh", "-c", "sleep 1000 & sleep 1000 & exit 3"])
        .await;
    assert_eq!(outcome.status, 3);
}

pub(crate) async fn limits(guest: &Guest) {
    let mut spec = guest.spec(&["sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"]);
    spec["process"]["rlimits"] = json!([
        { "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 },
        { "type": "RLIMIT_CORE", "soft": 0, "hard": 0 },
    ]);
    assert_eq!(guest.run(ID, &spec, None).await.unwrap().stdout, "100\n200\n0\n");
}
