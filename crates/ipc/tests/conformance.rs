//! What callers and services may rely on, whatever the transport.

mod common;

use std::collections::HashSet;
use std::time::Instant;

use common::{
    Blob, Echo, Fail, Hang, HangForEver, Missing, Panic, SOON, Seen, Service, Steps, Stop, Text, Under,
    WhoAmI,
};
use container_ipc::transport::{Listener, Message, Receiver, Sender, Transport};
use container_ipc::{Call, Client, Error, ErrorCode, MAX_MESSAGE_BYTES, ProgressEvent, transport};
use tokio::sync::mpsc;
use tokio::time::timeout;

fn text(number: u64) -> Text {
    Text {
        text: format!("ünï \"{number}\"\n"),
        number,
    }
}

#[tokio::test]
async fn a_call_is_answered_and_the_peer_is_known() {
    let service = Service::start();
    let client = service.client().await;
    assert_eq!(client.call::<Echo>(text(1)).await.unwrap(), text(1));
    let (uid, pid, session) = client.call::<WhoAmI>(()).await.unwrap();
    assert_eq!(uid, rustix::process::geteuid().as_raw());
    assert_eq!(pid, Some(rustix::process::getpid().as_raw_nonzero().get()));
    let (_, _, again) = client.clone().call::<WhoAmI>(()).await.unwrap();
    let (_, _, other) = service.client().await.call::<WhoAmI>(()).await.unwrap();
    assert_eq!(session, again);
    assert_ne!(session, other);
}

#[tokio::test]
async fn without_a_service_the_text_is_the_known_one() {
    let (_dir, endpoint) = common::endpoint();
    let error = Client::connect_with::<Under>(&endpoint).await.unwrap_err();
    assert_eq!(
        error.long_form(),
        "interrupted: \"XPC connection error: Connection invalid\""
    );
}

#[tokio::test]
async fn an_unknown_route_is_answered_at_once() {
    let service = Service::start();
    let start = Instant::now();
    let error = service.client().await.call::<Missing>(()).await.unwrap_err();
    assert_eq!(error, Error::invalid_argument("unknown route missing"));
    assert!(start.elapsed() < SOON / 2);
}

#[tokio::test]
async fn errors_keep_their_chain() {
    let service = Service::start();
    let chain = Error::not_found("no such file \"x\"")
        .wrap("failed to read")
        .wrap("failed to boot");
    let error = service
        .client()
        .await
        .call::<Fail>(chain.clone())
        .await
        .unwrap_err();
    assert_eq!(error, chain);
}

#[tokio::test]
async fn a_panicking_handler_is_an_error() {
    let service = Service::start();
    let client = service.client().await;
    let error = client.call::<Panic>(()).await.unwrap_err();
    assert_eq!(error, Error::internal("the handler of panic panicked"));
    assert_eq!(client.call::<Echo>(text(2)).await.unwrap(), text(2));
}

#[tokio::test]
async fn a_deadline_fires_and_cancels_the_handler() {
    let mut service = Service::start();
    let client = service.client().await;
    let error = client.call::<Hang>(7).await.unwrap_err();
    assert_eq!(
        error,
        Error::internal("XPC timeout for request to test.service/hang")
    );
    assert_eq!(service.next().await, Seen::Started(7));
    assert_eq!(service.next().await, Seen::Cancelled(7));
    assert_eq!(client.call::<Echo>(text(3)).await.unwrap(), text(3));
}

#[tokio::test]
async fn a_deadline_fires_when_the_peer_does_not_even_read() {
    let (_dir, endpoint) = common::endpoint();
    let mut listener = Under::bind(&endpoint).unwrap();
    let accepted = tokio::spawn(async move { listener.accept().await.unwrap() });
    let client = Client::connect_with::<Under>(&endpoint).await.unwrap();
    let _mute = accepted.await.unwrap();
    // The first is more than a socket holds and never written as a whole; the others wait behind it, at
    // last even for a place in the queue.
    let large = Text {
        text: "x".repeat(400_000),
        number: 0,
    };
    for n in 0..40 {
        let request = if n == 0 { large.clone() } else { text(n) };
        let call = Call {
            deadline: Some(Some(std::time::Duration::from_millis(20))),
            ..Call::default()
        };
        let error = timeout(SOON, client.call_with::<Echo>(request, call))
            .await
            .unwrap()
            .unwrap_err();
        assert_eq!(
            error,
            Error::internal("XPC timeout for request to test.service/echo")
        );
    }
}

#[tokio::test]
async fn a_peer_that_dies_fails_every_call_at_once() {
    let (_dir, endpoint) = common::endpoint();
    let mut listener = Under::bind(&endpoint).unwrap();
    let dying = tokio::spawn(async move {
        let connection = listener.accept().await.unwrap();
        let (_sender, mut receiver) = transport::Connection::split(connection);
        for _ in 0..3 {
            receiver.receive().await.unwrap().unwrap();
        }
    });
    let client = Client::connect_with::<Under>(&endpoint).await.unwrap();
    let calls = (0..3).map(|n| {
        let client = client.clone();
        tokio::spawn(async move { client.call::<HangForEver>(n).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let error = timeout(SOON, call).await.unwrap().unwrap().unwrap_err();
        assert_eq!(
            error,
            Error::interrupted("XPC connection error: Connection interrupted")
        );
    }
    dying.await.unwrap();
    timeout(SOON, client.closed()).await.unwrap();
    let error = timeout(SOON, client.call::<HangForEver>(9))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::Interrupted);
}

#[tokio::test]
async fn giving_up_cancels_that_handler_alone() {
    let mut service = Service::start();
    let client = service.client().await;
    let staying = tokio::spawn({
        let client = client.clone();
        async move { client.call::<HangForEver>(1).await }
    });
    assert_eq!(service.next().await, Seen::Started(1));
    let leaving = tokio::spawn({
        let client = client.clone();
        async move { client.call::<HangForEver>(2).await }
    });
    assert_eq!(service.next().await, Seen::Started(2));
    leaving.abort();
    assert_eq!(service.next().await, Seen::Cancelled(2));
    assert!(!staying.is_finished());
    staying.abort();
    assert_eq!(service.next().await, Seen::Cancelled(1));
}

#[tokio::test]
async fn disconnecting_cancels_handlers_and_closes_the_session() {
    let mut service = Service::start();
    let client = service.client().await;
    let call = tokio::spawn(async move { client.call::<HangForEver>(5).await });
    assert_eq!(service.next().await, Seen::Started(5));
    // Drops the only client with its call.
    call.abort();
    let mut both = vec![service.next().await, service.next().await];
    both.sort_by_key(|seen| *seen == Seen::SessionClosed(5));
    assert_eq!(both, [Seen::Cancelled(5), Seen::SessionClosed(5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_one_connection() {
    let service = Service::start();
    let client = service.client().await;
    let hanging = tokio::spawn({
        let client = client.clone();
        async move { client.call::<HangForEver>(0).await }
    });
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    assert_eq!(
                        client.call::<Echo>(text(n * 100 + round)).await.unwrap(),
                        text(n * 100 + round)
                    );
                }
            })
        })
        .collect();
    for call in calls {
        timeout(SOON, call).await.unwrap().unwrap();
    }
    assert!(!hanging.is_finished(), "a call that takes long holds nobody up");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_have_connections_of_their_own() {
    let service = Service::start();
    let calls: Vec<_> = (0..64)
        .map(|n| {
            let endpoint = service.endpoint.clone();
            tokio::spawn(async move {
                let client = Client::connect_with::<Under>(&endpoint).await.unwrap();
                assert_eq!(client.call::<Echo>(text(n)).await.unwrap(), text(n));
                client.call::<WhoAmI>(()).await.unwrap().2
            })
        })
        .collect();
    let mut sessions = HashSet::new();
    for call in calls {
        sessions.insert(timeout(SOON, call).await.unwrap().unwrap());
    }
    assert_eq!(sessions.len(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_fit_wait_for_their_turn() {
    let service = Service::start();
    let client = service.client().await;
    let calls: Vec<_> = (0..3000)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { client.call::<Echo>(text(n)).await })
        })
        .collect();
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(
            timeout(SOON, call).await.unwrap().unwrap().unwrap().number,
            n as u64
        );
    }
}

#[tokio::test]
async fn messages_over_the_limit_are_errors_and_nothing_more() {
    let service = Service::start();
    let client = service.client().await;
    let large = Text {
        text: "x".repeat(MAX_MESSAGE_BYTES),
        number: 0,
    };
    let error = client.call::<Echo>(large).await.unwrap_err();
    assert!(
        error.message.contains("exceeds the limit of 16777216 bytes"),
        "{error}"
    );
    let error = client.call::<Blob>(MAX_MESSAGE_BYTES).await.unwrap_err();
    assert!(
        error.message.contains("exceeds the limit of 16777216 bytes"),
        "{error}"
    );
    let almost = MAX_MESSAGE_BYTES - 100;
    assert_eq!(client.call::<Blob>(almost).await.unwrap().len(), almost);
}

#[tokio::test]
async fn progress_arrives_before_the_reply() {
    let service = Service::start();
    let client = service.client().await;
    let (progress, mut events) = mpsc::unbounded_channel();
    client
        .call_with::<Steps>(
            500,
            Call {
                progress: Some(progress),
                ..Call::default()
            },
        )
        .await
        .unwrap();
    let mut all: Vec<ProgressEvent> = Vec::new();
    while let Ok(event) = events.try_recv() {
        all.push(event);
    }
    assert_eq!(all.iter().filter_map(|event| event.add_items).sum::<i64>(), 500);
    assert_eq!(all.last().unwrap().description.as_deref(), Some("done"));
    assert!(events.recv().await.is_none(), "the channel ends with the call");
    client.call::<Steps>(500).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_everything_and_holds_nobody_up() {
    let service = Service::start();
    let connection = Under::connect(&service.endpoint).await.unwrap();
    let (mut sender, mut receiver) = transport::Connection::split(connection);
    const CALLS: u64 = 200;
    for id in 0..CALLS {
        let body = format!(r#"{{"request":{{"id":{id},"route":"blob","payload":100000}}}}"#).into_bytes();
        timeout(
            SOON,
            sender.send(Message {
                body,
                fds: Vec::new(),
            }),
        )
        .await
        .unwrap()
        .unwrap();
    }
    // 20 MB of replies are more than the socket holds; others are served meanwhile.
    let other = service.client().await;
    for n in 0..100 {
        assert_eq!(
            timeout(SOON, other.call::<Echo>(text(n))).await.unwrap().unwrap(),
            text(n)
        );
    }
    let mut bytes = 0;
    for _ in 0..CALLS {
        bytes += timeout(SOON, receiver.receive())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .body
            .len();
    }
    assert!(bytes > 20_000_000);
}

#[tokio::test]
async fn a_peer_with_too_many_calls_is_disconnected() {
    let service = Service::start();
    let connection = Under::connect(&service.endpoint).await.unwrap();
    let (mut sender, mut receiver) = transport::Connection::split(connection);
    for id in 0..5000 {
        let body = format!(r#"{{"request":{{"id":{id},"route":"hang","payload":{id}}}}}"#).into_bytes();
        if sender
            .send(Message {
                body,
                fds: Vec::new(),
            })
            .await
            .is_err()
        {
            break;
        }
    }
    let message = timeout(SOON, receiver.receive()).await.unwrap().unwrap().unwrap();
    let body = String::from_utf8(message.body).unwrap();
    assert!(
        body.contains("refused") && body.contains("too many calls in flight"),
        "{body}"
    );
}

#[tokio::test]
async fn a_malformed_error_payload_is_named() {
    let (_dir, endpoint) = common::endpoint();
    let mut listener = Under::bind(&endpoint).unwrap();
    let answering = tokio::spawn(async move {
        let (mut sender, mut receiver) = transport::Connection::split(listener.accept().await.unwrap());
        receiver.receive().await.unwrap().unwrap();
        let body = br#"{"failure":{"id":1,"error":{"code":"surprise","message":"x"}}}"#.to_vec();
        sender
            .send(Message {
                body,
                fds: Vec::new(),
            })
            .await
            .unwrap();
        receiver.receive().await.unwrap()
    });
    let client = Client::connect_with::<Under>(&endpoint).await.unwrap();
    let error = client.call::<Echo>(text(1)).await.unwrap_err();
    assert_eq!(
        error,
        Error::internal("received a malformed error payload from the XPC peer")
    );
    drop(client);
    assert!(answering.await.unwrap().is_none());
}

#[tokio::test]
async fn a_garbage_reply_ends_the_connection() {
    let (_dir, endpoint) = common::endpoint();
    let mut listener = Under::bind(&endpoint).unwrap();
    tokio::spawn(async move {
        let (mut sender, mut receiver) = transport::Connection::split(listener.accept().await.unwrap());
        receiver.receive().await.unwrap().unwrap();
        sender
            .send(Message {
                body: b"[garbage".to_vec(),
                fds: Vec::new(),
            })
            .await
            .unwrap();
        std::future::pending::<()>().await;
    });
    let client = Client::connect_with::<Under>(&endpoint).await.unwrap();
    let error = timeout(SOON, client.call::<HangForEver>(1))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidState);
    assert!(error.message.starts_with("XPC connection error: "), "{error}");
    timeout(SOON, client.closed()).await.unwrap();
}

#[tokio::test]
async fn a_garbage_request_is_refused_with_its_reason() {
    let service = Service::start();
    for body in [
        "",
        "garbage",
        "[]",
        r#"{"reply":{"id":1,"payload":1}}"#,
        r#"{"request":{"id":1}}"#,
    ] {
        let connection = Under::connect(&service.endpoint).await.unwrap();
        let (mut sender, mut receiver) = transport::Connection::split(connection);
        sender
            .send(Message {
                body: body.into(),
                fds: Vec::new(),
            })
            .await
            .unwrap();
        let message = timeout(SOON, receiver.receive()).await.unwrap().unwrap().unwrap();
        let answer = String::from_utf8(message.body).unwrap();
        assert!(
            answer.starts_with(r#"{"refused":{"error":{"code":"invalidArgument"#),
            "{body}: {answer}"
        );
        assert!(answer.contains("invalid request"), "{body}: {answer}");
        assert!(
            timeout(SOON, receiver.receive())
                .await
                .unwrap()
                .unwrap()
                .is_none()
        );
    }
    assert_eq!(
        service.client().await.call::<Echo>(text(1)).await.unwrap(),
        text(1)
    );
}

#[tokio::test]
async fn a_wrong_payload_fails_its_call_alone() {
    let service = Service::start();
    let connection = Under::connect(&service.endpoint).await.unwrap();
    let (mut sender, mut receiver) = transport::Connection::split(connection);
    for payload in ["{}", r#"{"text":"x","number":1}"#] {
        let body = format!(r#"{{"request":{{"id":3,"route":"echo","payload":{payload}}}}}"#).into_bytes();
        sender
            .send(Message {
                body,
                fds: Vec::new(),
            })
            .await
            .unwrap();
        let message = timeout(SOON, receiver.receive()).await.unwrap().unwrap().unwrap();
        let answer = String::from_utf8(message.body).unwrap();
        if payload == "{}" {
            assert!(
                answer.contains(r#""code":"invalidArgument","message":"invalid request: echo:"#),
                "{answer}"
            );
        } else {
            assert_eq!(answer, r#"{"reply":{"id":3,"payload":{"text":"x","number":1}}}"#);
        }
    }
}

#[tokio::test]
async fn a_service_can_be_stopped_by_a_call_and_started_again() {
    let service = Service::start();
    let client = service.client().await;
    assert_eq!(client.call::<Stop>(()).await.unwrap(), "stopping");
    timeout(SOON, service.task).await.unwrap().unwrap();
    timeout(SOON, client.closed()).await.unwrap();
    assert!(Client::connect_with::<Under>(&service.endpoint).await.is_err());
    Under::bind(&service.endpoint).unwrap();
}

#[tokio::test]
async fn stopping_does_not_wait_for_calls_without_end() {
    let mut service = Service::start();
    let client = service.client().await;
    let call = tokio::spawn(async move { client.call::<HangForEver>(1).await });
    assert_eq!(service.next().await, Seen::Started(1));
    service.shutdown.cancel();
    timeout(SOON, service.task).await.unwrap().unwrap();
    let error = timeout(SOON, call).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Interrupted);
}

#[tokio::test]
async fn a_name_has_one_owner() {
    let (_dir, endpoint) = common::endpoint();
    let first = Under::bind(&endpoint).unwrap();
    let error = Under::bind(&endpoint).unwrap_err();
    assert_eq!(error, Error::exists("service test.service is already running"));
    drop(first);
    Under::bind(&endpoint).unwrap();
}
