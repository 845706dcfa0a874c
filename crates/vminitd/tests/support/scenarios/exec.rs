//! Further processes of a running container.

use container_ipc::ErrorCode;
use serde_json::json;

use crate::support::session::Streams;
use crate::support::{Guest, ID};

pub(crate) async fn joins_the_container(guest: &Guest) {
    let spec = guest.spec(&["sh", "-c", "echo x >/dev/shm/mark; exec sleep 1000"]);
    guest.create(ID, &spec, Streams::None).await.unwrap();
    let early = guest.create("early", &spec, Streams::None).await.unwrap();
    assert_eq!(
        guest.start_process("early").await.unwrap_err().code,
        ErrorCode::InvalidState
    );
    drop(early);
    guest.start_process(ID).await.unwrap();
    let script = "while [ ! -e /dev/shm/mark ]; do sleep 0.01; done; hostname; cat /proc/self/cgroup; \
                  ps -o pid,args | grep -c '[s]leep 1000'; cat /proc/1/cgroup; readlink /proc/self/root; \
                  for n in cgroup ipc mnt pid uts; do \
                    [ $(readlink /proc/self/ns/$n) = $(readlink /proc/1/ns/$n) ] && echo $n; done";
    let outcome = guest
        .run("one", &guest.spec(&["sh", "-c", script]), None)
        .await
        .unwrap();
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"boxhost"), "{outcome:?}");
    assert!(lines.contains(&"0::/"), "{outcome:?}");
    assert!(lines.contains(&"1"), "{outcome:?}");
    // The ipc namespace is the virtual machine's.
    assert_eq!(
        lines[lines.len() - 4..],
        ["cgroup", "mnt", "pid", "uts"],
        "{outcome:?}"
    );

    // Many at a time, each with its own streams.
    let runs = (0..8).map(|n| {
        let id = format!("p{n}");
        async move {
            let spec = guest.spec(&["sh", "-c", &format!("echo {n}; exit {n}")]);
            let outcome = guest.run(&id, &spec, None).await.unwrap();
            assert_eq!((outcome.status, outcome.stdout), (n, format!("{n}\n")));
        }
    });
    futures_util::future::join_all(runs).await;
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.wait(ID).await.unwrap();
    guest.delete(ID).await.unwrap();
}

pub(crate) async fn ends_with_the_container(guest: &Guest) {
    guest
        .create(ID, &guest.spec(&["sleep", "1000"]), Streams::None)
        .await
        .unwrap();
    guest.start_process(ID).await.unwrap();
    guest
        .create("late", &guest.spec(&["true"]), Streams::None)
        .await
        .unwrap();
    guest
        .create("other", &guest.spec(&["sleep", "1000"]), Streams::None)
        .await
        .unwrap();
    guest.start_process("other").await.unwrap();
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    assert_eq!(guest.wait("other").await.unwrap(), 137);
    assert_eq!(guest.wait(ID).await.unwrap(), 137);
    assert_eq!(
        guest.start_process("late").await.unwrap_err().code,
        ErrorCode::InvalidState
    );
    guest.delete(ID).await.unwrap();
    assert_eq!(guest.wait("other").await.unwrap_err().code, ErrorCode::NotFound);
}

pub(crate) async fn finds_programs_and_users(guest: &Guest) {
    guest
        .create(ID, &guest.spec(&["sleep", "1000"]), Streams::None)
        .await
        .unwrap();
    guest.start_process(ID).await.unwrap();
    let error = guest
        .run("x", &guest.spec(&["nothing-here"]), None)
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert!(
        error
            .message
            .ends_with("failed to find target executable nothing-here"),
        "{error}"
    );
    let mut spec = guest.spec(&["sh", "-c", "tty; id -un; pwd; grep CapBnd /proc/self/status"]);
    spec["process"]["user"] = json!({ "username": "mat:users" });
    spec["process"]["cwd"] = json!("/opt");
    spec["process"]["terminal"] = json!(true);
    let mut session = guest.create("t", &spec, Streams::Terminal).await.unwrap();
    guest.start_process("t").await.unwrap();
    assert_eq!(guest.wait("t").await.unwrap(), 0);
    let said = crate::support::session::text(session.stdout.take()).await;
    assert_eq!(said, "/dev/pts/0\r\nmat\r\n/opt\r\nCapBnd:\t00000000a80425fb\r\n");
    guest.delete("t").await.unwrap();
    guest.kill(ID, libc::SIGKILL).await.unwrap();
    guest.wait(ID).await.unwrap();
    guest.delete(ID).await.unwrap();
}
