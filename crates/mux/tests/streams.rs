//! Both ends of a link in one process, on the runtime that the guest's agent uses too.

use std::io::ErrorKind;
use std::time::Duration;

use container_mux::{BACKLOG, Error, LinkError, MAX_STREAMS, Mux, Side, Stream, WINDOW};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

fn pair() -> (Mux, Mux) {
    let (host, guest) = UnixStream::pair().unwrap();
    (Mux::new(host, Side::Host), Mux::new(guest, Side::Guest))
}

async fn connected() -> (Mux, Mux, Stream, Stream) {
    let (host, guest) = pair();
    let mut listener = guest.listen(7).unwrap();
    let (near, far) = tokio::join!(host.connect(7), listener.accept());
    (host, guest, near.unwrap(), far.unwrap())
}

/// What must not happen would take longer than this.
async fn stays_pending(future: impl Future) -> bool {
    timeout(Duration::from_millis(50), future).await.is_err()
}

/// What must happen takes less than this.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("the link stalled")
}

fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31 + seed * 7) >> 3) as u8).collect()
}

#[tokio::test]
async fn both_sides_connect_and_the_port_is_known() {
    let (host, guest) = pair();
    let mut from_host = guest.listen(1024).unwrap();
    let mut from_guest = host.listen(0x1000_0000).unwrap();
    let (a, b, c, d) = soon(async {
        tokio::join!(
            host.connect(1024),
            from_host.accept(),
            guest.connect(0x1000_0000),
            from_guest.accept()
        )
    })
    .await;
    let (mut a, mut b, mut c, mut d) = (a.unwrap(), b.unwrap(), c.unwrap(), d.unwrap());
    assert_eq!((b.port(), d.port()), (1024, 0x1000_0000));
    for (from, to, text) in [(&mut a, &mut b, b"one"), (&mut d, &mut c, b"two")] {
        from.write_all(text).await.unwrap();
        let mut read = [0; 3];
        soon(to.read_exact(&mut read)).await.unwrap();
        assert_eq!(&read, text);
    }
}

#[tokio::test]
async fn nobody_listens() {
    let (host, guest) = pair();
    assert!(matches!(soon(host.connect(9)).await, Err(Error::Refused(9))));
    let listener = guest.listen(9).unwrap();
    assert!(matches!(guest.listen(9), Err(Error::PortInUse(9))));
    drop(listener);
    assert!(matches!(soon(host.connect(9)).await, Err(Error::Refused(9))));
    guest.listen(9).unwrap();
}

#[tokio::test]
async fn a_patient_connect_waits_for_the_listener() {
    let (host, guest) = pair();
    soon(host.ready()).await.unwrap();
    let mut connect = std::pin::pin!(host.connect_when_listening(1024));
    assert!(stays_pending(&mut connect).await);
    let mut listener = guest.listen(1024).unwrap();
    soon(connect).await.unwrap();
    soon(listener.accept()).await.unwrap();
}

#[tokio::test]
async fn a_connect_that_gave_up_is_not_accepted_later() {
    let (host, guest) = pair();
    soon(host.ready()).await.unwrap();
    assert!(stays_pending(host.connect_when_listening(1024)).await);
    // The link keeps the order, so an answer to this means that the guest knows.
    assert!(soon(host.connect(1)).await.is_err());
    let mut listener = guest.listen(1024).unwrap();
    assert!(stays_pending(listener.accept()).await);
}

#[tokio::test]
async fn connects_wait_for_a_peer_that_comes_late() {
    let (near, far) = UnixStream::pair().unwrap();
    let host = Mux::new(near, Side::Host);
    let mut connect = std::pin::pin!(host.connect(1024));
    assert!(stays_pending(&mut connect).await);
    let guest = Mux::new(far, Side::Guest);
    let mut listener = guest.listen(1024).unwrap();
    soon(async { tokio::join!(connect, listener.accept()) })
        .await
        .0
        .unwrap();
}

#[tokio::test]
async fn half_close_ends_one_direction_only() {
    let (_host, _guest, mut near, mut far) = connected().await;
    near.write_all(b"question").await.unwrap();
    near.shutdown().await.unwrap();
    assert_eq!(
        near.write(b"more").await.unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut question = String::new();
    soon(far.read_to_string(&mut question)).await.unwrap();
    assert_eq!(question, "question");
    far.write_all(b"answer").await.unwrap();
    far.shutdown().await.unwrap();
    let mut answer = String::new();
    soon(near.read_to_string(&mut answer)).await.unwrap();
    assert_eq!(answer, "answer");
}

#[tokio::test]
async fn a_dropped_stream_resets() {
    let (_host, _guest, mut near, far) = connected().await;
    drop(far);
    let mut buffer = [0; 1];
    assert_eq!(
        soon(near.read(&mut buffer)).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(near.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn what_was_written_before_shutdown_and_drop_arrives() {
    let (_host, guest, mut near, mut far) = connected().await;
    let sent = pattern(1, 2 * WINDOW as usize);
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        far.write_all(&sent).await.unwrap();
        far.shutdown().await.unwrap();
        drop(far);
        // The peer reads a clean end although it never closed its own direction.
    });
    // Handles gone, the link still delivers.
    drop(guest);
    let mut received = Vec::new();
    soon(near.read_to_end(&mut received)).await.unwrap();
    assert!(received == expected);
    writer.await.unwrap();
    let mut broken = false;
    for _ in 0..100 {
        broken = broken || near.write(b"x").await.is_err();
        tokio::task::yield_now().await;
    }
    assert!(broken, "nobody reads what this end writes");
}

#[tokio::test]
async fn a_stalled_stream_blocks_nobody_else() {
    let (host, guest) = pair();
    let mut listener = guest.listen(7).unwrap();
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let (near, far) = soon(async { tokio::join!(host.connect(7), listener.accept()) }).await;
        stalled.push((near.unwrap(), far.unwrap()));
    }
    let block = vec![0; 64 * 1024];
    for (near, _) in &mut stalled {
        let mut written = 0;
        while let Ok(amount) = timeout(Duration::from_millis(20), near.write(&block)).await {
            written += amount.unwrap();
            assert!(
                written <= WINDOW as usize + 128 * 1024,
                "flow control lets {written} bytes through"
            );
        }
        assert!(written >= WINDOW as usize);
    }
    let (near, far) = soon(async { tokio::join!(host.connect(7), listener.accept()) }).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    let sent = pattern(3, 4 << 20);
    let expected = sent.clone();
    tokio::spawn(async move {
        near.write_all(&sent).await.unwrap();
        near.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    soon(far.read_to_end(&mut received)).await.unwrap();
    assert!(received == expected);
    // And a stalled one goes on where it was.
    let (near, far) = &mut stalled[0];
    let mut buffer = vec![0; WINDOW as usize];
    soon(far.read_exact(&mut buffer)).await.unwrap();
    soon(near.write_all(&block)).await.unwrap();
}

async fn echo(mut stream: Stream) {
    let (mut read, mut write) = tokio::io::split(&mut stream);
    tokio::io::copy(&mut read, &mut write).await.unwrap();
    write.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_streams_interleave_without_mixing() {
    let (host, guest) = pair();
    let mut listener = guest.listen(7).unwrap();
    tokio::spawn(async move {
        while let Ok(stream) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });
    let mut tasks = Vec::new();
    for number in 0..256 {
        let host = host.clone();
        tasks.push(tokio::spawn(async move {
            let stream = host.connect_when_listening(7).await;
            // Only so many may wait to be accepted at one time.
            let stream = match stream {
                Err(Error::Refused(_)) => loop {
                    tokio::task::yield_now().await;
                    if let Ok(stream) = host.connect(7).await {
                        break stream;
                    }
                },
                other => other.unwrap(),
            };
            let (mut read, mut write) = tokio::io::split(stream);
            let sent = pattern(number, 40_000 + number * 97);
            let expected = sent.clone();
            let writer = tokio::spawn(async move {
                for chunk in sent.chunks(1 + number * 13) {
                    write.write_all(chunk).await.unwrap();
                }
                write.shutdown().await.unwrap();
            });
            let mut received = Vec::new();
            read.read_to_end(&mut received).await.unwrap();
            assert!(received == expected, "stream {number} got something else back");
            writer.await.unwrap();
        }));
    }
    for task in tasks {
        soon(task).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_at_once_on_two_threads() {
    let (_host, _guest, near, far) = connected().await;
    let run = |stream: Stream, seed: usize| {
        let (mut read, mut write) = tokio::io::split(stream);
        let writer = tokio::spawn(async move {
            write.write_all(&pattern(seed, 16 << 20)).await.unwrap();
            write.shutdown().await.unwrap();
        });
        tokio::spawn(async move {
            let mut received = Vec::new();
            read.read_to_end(&mut received).await.unwrap();
            writer.await.unwrap();
            received
        })
    };
    let (at_near, at_far) = (run(near, 1), run(far, 2));
    assert!(soon(at_near).await.unwrap() == pattern(2, 16 << 20));
    assert!(soon(at_far).await.unwrap() == pattern(1, 16 << 20));
}

#[tokio::test]
async fn backlog_and_stream_numbers_are_bounded() {
    let (host, guest) = pair();
    let mut listener = guest.listen(7).unwrap();
    let mut streams = Vec::new();
    for _ in 0..BACKLOG {
        streams.push(soon(host.connect(7)).await.unwrap());
    }
    assert!(matches!(soon(host.connect(7)).await, Err(Error::Refused(7))));
    let mut accepted = Vec::new();
    while streams.len() < MAX_STREAMS {
        accepted.push(soon(listener.accept()).await.unwrap());
        streams.push(soon(host.connect(7)).await.unwrap());
    }
    assert!(matches!(soon(host.connect(7)).await, Err(Error::TooManyStreams)));
    accepted.push(soon(listener.accept()).await.unwrap());
    drop((streams.pop(), accepted.pop()));
    // The number is free again when the peer was told.
    tokio::task::yield_now().await;
    streams.push(soon(host.connect(7)).await.unwrap());
}

#[tokio::test]
async fn flush_waits_until_the_link_took_everything() {
    let (_host, _guest, mut near, mut far) = connected().await;
    near.write_all(&vec![1; WINDOW as usize]).await.unwrap();
    soon(near.flush()).await.unwrap();
    near.write_all(&[2; 10]).await.unwrap();
    assert!(stays_pending(near.flush()).await, "no credit is left");
    let mut buffer = vec![0; WINDOW as usize];
    soon(far.read_exact(&mut buffer)).await.unwrap();
    soon(near.flush()).await.unwrap();
}

#[tokio::test]
async fn a_peer_that_vanishes_ends_everything_with_an_error() {
    let (host, guest, mut near, mut far) = connected().await;
    let mut listener = host.listen(8).unwrap();
    far.write_all(b"last words").await.unwrap();
    far.flush().await.unwrap();
    drop((far, guest));
    let mut text = [0; 10];
    soon(near.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"last words");
    assert_eq!(
        soon(near.read(&mut text)).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert!(matches!(
        soon(listener.accept()).await,
        Err(Error::Link(LinkError::PeerClosed))
    ));
    assert!(matches!(
        soon(host.connect(7)).await,
        Err(Error::Link(LinkError::PeerClosed))
    ));
    assert!(matches!(host.listen(9), Err(Error::Link(LinkError::PeerClosed))));
    assert!(matches!(soon(host.closed()).await, LinkError::PeerClosed));
}

#[tokio::test]
async fn one_end_only_may_be_the_host() {
    let (a, b) = UnixStream::pair().unwrap();
    let (a, b) = (Mux::new(a, Side::Host), Mux::new(b, Side::Host));
    assert!(matches!(
        soon(a.closed()).await,
        LinkError::SameSide | LinkError::PeerClosed
    ));
    assert!(matches!(
        soon(b.closed()).await,
        LinkError::SameSide | LinkError::PeerClosed
    ));
}
