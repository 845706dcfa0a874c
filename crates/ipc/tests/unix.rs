//! What is special about Unix sockets: bytes that are not messages, names, paths.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use common::{Echo, SOON, Text};
use container_ipc::unix::{Listener, Transport};
use container_ipc::{Client, Endpoint, Error, ErrorCode, MAX_MESSAGE_BYTES, Router, serve_with};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

type Service = common::Service<Transport>;

async fn connect(endpoint: &Endpoint) -> Result<Client, Error> {
    Client::connect_with::<Transport>(endpoint).await
}

fn framed(body: &[u8]) -> Vec<u8> {
    let mut bytes = b"CI\0\0".to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Sends `bytes` as they are and gives everything that comes back.
async fn send_raw(service: &Service, bytes: Vec<u8>, half_close: bool) -> String {
    let path = service.endpoint.socket_path();
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        // A service that has seen enough may close before it has read everything.
        let _ = stream.write_all(&bytes);
        if half_close {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut answer = Vec::new();
        // Closing with unread bytes shows as a reset after the answer.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    timeout(SOON, exchange).await.unwrap().unwrap()
}

async fn still_serves(service: &Service) {
    let text = Text {
        text: "still here".into(),
        number: 1,
    };
    assert_eq!(
        service.client().await.call::<Echo>(text.clone()).await.unwrap(),
        text
    );
}

#[tokio::test]
async fn an_oversized_frame_is_refused_before_it_arrives() {
    let service = Service::over();
    let mut bytes = b"CI\0\0".to_vec();
    bytes.extend(u32::MAX.to_be_bytes());
    let answer = send_raw(&service, bytes, false).await;
    assert!(
        answer.contains("message of 4294967295 bytes exceeds the limit of 16777216 bytes"),
        "{answer}"
    );
    let mut bytes = b"CI\0\0".to_vec();
    bytes.extend(u32::try_from(MAX_MESSAGE_BYTES + 1).unwrap().to_be_bytes());
    let answer = send_raw(&service, bytes, false).await;
    assert!(answer.contains("exceeds the limit"), "{answer}");
    still_serves(&service).await;
}

#[tokio::test]
async fn truncated_frames_are_refused() {
    let service = Service::over();
    let whole = framed(br#"{"request":{"id":1,"route":"echo","payload":{"text":"x","number":1}}}"#);
    for end in [1, 4, 8, 20, whole.len() - 1] {
        let answer = send_raw(&service, whole[..end].to_vec(), true).await;
        assert!(
            answer.contains("the connection ended within a message"),
            "{end}: {answer}"
        );
    }
    still_serves(&service).await;
}

#[tokio::test]
async fn garbage_is_refused() {
    let service = Service::over();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 64], &[0xff; 100_000]] {
        let answer = send_raw(&service, bytes.to_vec(), false).await;
        assert!(answer.contains("not a message"), "{answer}");
    }
    // A header that promises descriptors which do not come.
    let answer = send_raw(&service, b"CI\x00\x02\x00\x00\x00\x02{}".to_vec(), false).await;
    assert!(answer.contains("wrong number of descriptors"), "{answer}");
    still_serves(&service).await;
}

#[tokio::test]
async fn frames_may_come_in_pieces_and_in_bunches() {
    let service = Service::over();
    let path = service.endpoint.socket_path();
    let request = |id: u32| {
        framed(
            format!(r#"{{"request":{{"id":{id},"route":"echo","payload":{{"text":"x","number":{id}}}}}}}"#)
                .as_bytes(),
        )
    };
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        for byte in request(1) {
            stream.write_all(&[byte]).unwrap();
        }
        stream.write_all(&[request(2), request(3)].concat()).unwrap();
        let mut answers = Vec::new();
        let expected = 3 * framed(br#"{"reply":{"id":1,"payload":{"text":"x","number":1}}}"#).len();
        stream.take(expected as u64).read_to_end(&mut answers).unwrap();
        String::from_utf8_lossy(&answers).into_owned()
    });
    let answers = timeout(SOON, exchange).await.unwrap().unwrap();
    for id in 1..=3 {
        assert!(
            answers.contains(&format!(r#"{{"reply":{{"id":{id},"#)),
            "{answers}"
        );
    }
}

#[tokio::test]
async fn a_dead_socket_is_taken_over_and_a_live_one_is_not() {
    let (_dir, endpoint) = common::endpoint();
    container_ipc::ensure_private_dir(endpoint.runtime_dir()).unwrap();
    // A killed service leaves both files; nobody holds the lock.
    drop(UnixListener::bind(endpoint.socket_path()).unwrap());
    std::fs::write(endpoint.socket_path().with_extension("lock"), "").unwrap();
    assert_eq!(connect(&endpoint).await.unwrap_err().code, ErrorCode::Interrupted);

    let listener = Listener::bind(&endpoint).unwrap();
    assert!(!Listener::remove_stale(&endpoint), "it is in use");
    assert_eq!(Listener::bind(&endpoint).unwrap_err().code, ErrorCode::Exists);
    connect(&endpoint).await.unwrap();

    drop(listener);
    assert_eq!(std::fs::read_dir(endpoint.runtime_dir()).unwrap().count(), 0);

    drop(UnixListener::bind(endpoint.socket_path()).unwrap());
    assert!(Listener::remove_stale(&endpoint));
    assert_eq!(std::fs::read_dir(endpoint.runtime_dir()).unwrap().count(), 0);
    assert!(Listener::remove_stale(&endpoint), "nothing there is fine too");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_bind_at_once_one_wins() {
    let (_dir, endpoint) = common::endpoint();
    for _ in 0..20 {
        let tries: Vec<_> = (0..8)
            .map(|_| {
                let endpoint = endpoint.clone();
                tokio::spawn(async move { Listener::bind(&endpoint) })
            })
            .collect();
        let mut results = Vec::new();
        for each in tries {
            results.push(each.await.unwrap());
        }
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        connect(&endpoint).await.unwrap();
    }
}

#[tokio::test]
async fn long_names_and_roots_work() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("a".repeat(200));
    std::fs::create_dir(&root).unwrap();
    let run = container_ipc::runtime_dir(&root);
    let endpoint = Endpoint::new(&run, &format!("com.apple.container.runtime.{}", "x".repeat(300)));
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve_with(
        Listener::bind(&endpoint).unwrap(),
        Router::new(),
        shutdown.clone(),
    ));
    connect(&endpoint).await.unwrap();
    shutdown.cancel();
    task.await.unwrap();
    std::fs::remove_dir(&run).unwrap();
}

#[tokio::test]
async fn a_passed_socket_is_served() {
    let (_dir, endpoint) = common::endpoint();
    container_ipc::ensure_private_dir(endpoint.runtime_dir()).unwrap();
    let socket = UnixListener::bind(endpoint.socket_path()).unwrap();
    // It has no lock, and is in use all the same.
    assert!(!Listener::remove_stale(&endpoint));
    assert_eq!(Listener::bind(&endpoint).unwrap_err().code, ErrorCode::Exists);
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::empty()).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
    let listener = Listener::from_fd(socket.into()).unwrap();
    // SAFETY: `listener` keeps the descriptor open.
    let passed = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    let flags = rustix::io::fcntl_getfd(passed).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let router = Router::new().route::<Echo, _, _>(|r| async move { Ok(r.payload.into()) });
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve_with(listener, router, shutdown.clone()));
    let text = Text {
        text: "x".into(),
        number: 1,
    };
    assert_eq!(
        connect(&endpoint)
            .await
            .unwrap()
            .call::<Echo>(text.clone())
            .await
            .unwrap(),
        text
    );
    shutdown.cancel();
    task.await.unwrap();
}
