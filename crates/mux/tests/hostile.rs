//! One end of a link against a peer that is written by hand here and does not keep to the rules.

use std::io::ErrorKind;
use std::time::Duration;

use container_mux::frame::{self, Frame, HEADER_LEN, Hello, MAX_PAYLOAD, Reason, VERSION};
use container_mux::{Error, LinkError, MAX_STREAMS, Mux, Side, Stream, WINDOW};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The guest's end, frame by frame.
struct Raw {
    socket: UnixStream,
    input: Vec<u8>,
    host: u64,
}

/// What came, without borrowing where it came in.
#[derive(Debug, PartialEq)]
enum Came {
    Open { stream: u32, port: u32, wait: bool },
    Accept(u32),
    Data(u32, usize),
    Credit(u32, u32),
    Fin(u32),
    Reset(u32, Reason),
}

impl Raw {
    fn new() -> (Mux, Self) {
        let (host, guest) = UnixStream::pair().unwrap();
        (
            Mux::new(host, Side::Host),
            Self {
                socket: guest,
                input: Vec::new(),
                host: 0,
            },
        )
    }

    /// A peer that both ends know.
    async fn greeted() -> (Mux, Self) {
        let (mux, mut raw) = Self::new();
        raw.greet(7).await;
        (mux, raw)
    }

    /// Says hello as the guest of this generation, and takes the host's answer.
    async fn greet(&mut self, generation: u64) {
        let hello = Hello {
            version: VERSION,
            side: Side::Guest,
            generation,
            seen: 0,
        };
        self.send(&[Frame::Hello(hello)]).await;
        loop {
            let hello = self.hello().await;
            self.host = hello.generation;
            if hello.seen == generation {
                break;
            }
        }
        self.send(&[Frame::Hello(Hello {
            seen: self.host,
            ..hello
        })])
        .await;
    }

    async fn send(&mut self, frames: &[Frame<'_>]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        self.socket.write_all(&bytes).await.unwrap();
    }

    async fn fill(&mut self) {
        let length = soon(self.socket.read_buf(&mut self.input)).await.unwrap();
        assert_ne!(length, 0, "the host closed the link");
    }

    async fn hello(&mut self) -> Hello {
        loop {
            if let Some((Frame::Hello(hello), length)) = frame::parse(&self.input).unwrap() {
                self.input.drain(..length);
                return hello;
            }
            self.fill().await;
        }
    }

    async fn next(&mut self) -> Came {
        loop {
            if let Some((frame, length)) = frame::parse(&self.input).unwrap() {
                let came = match frame {
                    Frame::Open {
                        stream, port, wait, ..
                    } => Came::Open { stream, port, wait },
                    Frame::Accept { stream, .. } => Came::Accept(stream),
                    Frame::Data { stream, payload } => Came::Data(stream, payload.len()),
                    Frame::Credit { stream, amount } => Came::Credit(stream, amount),
                    Frame::Fin { stream } => Came::Fin(stream),
                    Frame::Reset { stream, reason } => Came::Reset(stream, reason),
                    Frame::Hello(_) | Frame::Pad => panic!("an unexpected {frame:?}"),
                };
                self.input.drain(..length);
                return came;
            }
            self.fill().await;
        }
    }

    /// Opens stream 2 to the host.
    async fn opened() -> (Mux, Self, Stream) {
        let (mux, mut raw) = Self::greeted().await;
        let mut listener = mux.listen(5).unwrap();
        raw.send(&[open(2, 5)]).await;
        let stream = soon(listener.accept()).await.unwrap();
        assert_eq!(raw.next().await, Came::Accept(2));
        (mux, raw, stream)
    }
}

fn open(stream: u32, port: u32) -> Frame<'static> {
    Frame::Open {
        stream,
        port,
        window: 1000,
        wait: false,
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("the link stalled")
}

#[tokio::test]
async fn bytes_that_are_no_frame_end_the_link() {
    let (mux, mut raw, mut stream) = Raw::opened().await;
    raw.send(&[Frame::Data {
        stream: 2,
        payload: b"before",
    }])
    .await;
    raw.socket.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut text = String::new();
    assert_eq!(
        soon(stream.read_to_string(&mut text)).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    let mut listener_error = mux.listen(6).unwrap_err();
    assert!(
        matches!(listener_error, Error::Link(LinkError::Protocol(_))),
        "{listener_error}"
    );
    listener_error = soon(mux.connect(6)).await.unwrap_err();
    assert!(
        matches!(listener_error, Error::Link(LinkError::Protocol(_))),
        "{listener_error}"
    );
    assert!(matches!(soon(mux.closed()).await, LinkError::Protocol(_)));
}

#[tokio::test]
async fn another_version_ends_the_link() {
    let (mux, mut raw) = Raw::new();
    raw.send(&[Frame::Hello(Hello {
        version: 2,
        side: Side::Guest,
        generation: 1,
        seen: 0,
    })])
    .await;
    assert!(matches!(soon(mux.closed()).await, LinkError::Version(2)));
}

#[tokio::test]
async fn more_than_the_window_resets_that_stream_only() {
    let (mux, mut raw, mut greedy) = Raw::opened().await;
    let mut listener = mux.listen(6).unwrap();
    raw.send(&[open(4, 6)]).await;
    let mut other = soon(listener.accept()).await.unwrap();
    let block = vec![1; MAX_PAYLOAD];
    for _ in 0..=WINDOW as usize / MAX_PAYLOAD {
        raw.send(&[Frame::Data {
            stream: 2,
            payload: &block,
        }])
        .await;
    }
    raw.send(&[Frame::Data {
        stream: 4,
        payload: b"fine",
    }])
    .await;
    let mut text = [0; 4];
    soon(other.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"fine");
    let mut received = Vec::new();
    let error = soon(greedy.read_to_end(&mut received)).await.unwrap_err();
    assert!(error.to_string().contains("more than it was allowed"), "{error}");
    assert!(received.len() <= WINDOW as usize, "{} bytes", received.len());
    assert_eq!(raw.next().await, Came::Accept(4));
    assert_eq!(raw.next().await, Came::Reset(2, Reason::Overrun));
}

#[tokio::test]
async fn data_before_accept_and_after_fin_are_overruns() {
    let (mux, mut raw, mut stream) = Raw::opened().await;
    raw.send(&[
        Frame::Fin { stream: 2 },
        Frame::Data {
            stream: 2,
            payload: b"x",
        },
    ])
    .await;
    assert_eq!(raw.next().await, Came::Reset(2, Reason::Overrun));
    assert_eq!(soon(stream.read(&mut [0; 8])).await.unwrap(), 0);
    assert!(stream.write_all(b"x").await.is_err());
    let connect = tokio::spawn({
        let mux = mux.clone();
        async move { mux.connect(9).await }
    });
    assert_eq!(
        raw.next().await,
        Came::Open {
            stream: 1,
            port: 9,
            wait: false
        }
    );
    raw.send(&[Frame::Data {
        stream: 1,
        payload: b"early",
    }])
    .await;
    assert!(matches!(soon(connect).await.unwrap(), Err(Error::Reset(9))));
    assert_eq!(raw.next().await, Came::Reset(1, Reason::Overrun));
}

#[tokio::test]
async fn frames_for_streams_that_do_not_exist_are_ignored() {
    let (_mux, mut raw, mut stream) = Raw::opened().await;
    raw.send(&[
        Frame::Data {
            stream: 99,
            payload: b"x",
        },
        Frame::Accept {
            stream: 98,
            window: 1,
        },
        Frame::Credit {
            stream: 97,
            amount: 1,
        },
        Frame::Fin { stream: 96 },
        Frame::Reset {
            stream: 95,
            reason: Reason::Overrun,
        },
        // Opens a stream that is open, and one that only the host may open.
        open(2, 5),
        open(3, 5),
        // Accepts what nobody asked for.
        Frame::Accept {
            stream: 2,
            window: u32::MAX,
        },
        Frame::Pad,
        Frame::Data {
            stream: 2,
            payload: b"still here",
        },
    ])
    .await;
    let mut text = [0; 10];
    soon(stream.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"still here");
}

#[tokio::test]
async fn endless_credit_does_not_overflow() {
    let (_mux, mut raw, mut stream) = Raw::opened().await;
    for _ in 0..4 {
        raw.send(&[Frame::Credit {
            stream: 2,
            amount: u32::MAX,
        }])
        .await;
    }
    stream.write_all(b"enough").await.unwrap();
    assert_eq!(raw.next().await, Came::Data(2, 6));
}

#[tokio::test]
async fn no_credit_means_no_data() {
    let (_mux, mut raw, mut stream) = Raw::opened().await;
    stream.write_all(&[0; 1500]).await.unwrap();
    assert_eq!(raw.next().await, Came::Data(2, 1000));
    raw.send(&[Frame::Credit { stream: 2, amount: 1 }]).await;
    assert_eq!(raw.next().await, Came::Data(2, 1));
    stream.shutdown().await.unwrap();
    raw.send(&[Frame::Credit {
        stream: 2,
        amount: 1000,
    }])
    .await;
    assert_eq!(raw.next().await, Came::Data(2, 499));
    assert_eq!(raw.next().await, Came::Fin(2));
    drop(stream);
    assert_eq!(raw.next().await, Came::Reset(2, Reason::Dropped));
}

#[tokio::test]
async fn a_flood_of_opens_by_a_peer_that_does_not_read_is_not_hoarded() {
    let (mux, mut raw) = Raw::greeted().await;
    let mut flood = Vec::new();
    let mut stream = 2;
    while flood.len() < 16 << 20 {
        open(stream, 1).encode(&mut flood);
        stream += 2;
    }
    let sent = timeout(Duration::from_millis(300), raw.socket.write_all(&flood)).await;
    assert!(
        sent.is_err(),
        "the host took a million opens without an answer being read"
    );
    assert!(mux.listen(1).is_ok());
}

#[tokio::test]
async fn a_peer_has_so_many_streams_and_no_more() {
    let (mux, mut raw) = Raw::greeted().await;
    for number in 1..=MAX_STREAMS as u32 + 1 {
        raw.send(&[Frame::Open {
            stream: 2 * number,
            port: 1,
            window: 0,
            wait: true,
        }])
        .await;
    }
    assert_eq!(
        raw.next().await,
        Came::Reset(2 * (MAX_STREAMS as u32 + 1), Reason::Refused)
    );
    drop(mux);
}

#[tokio::test]
async fn frames_may_come_byte_by_byte() {
    let (_mux, mut raw, mut stream) = Raw::opened().await;
    let mut bytes = Vec::new();
    Frame::Data {
        stream: 2,
        payload: b"slowly",
    }
    .encode(&mut bytes);
    Frame::Fin { stream: 2 }.encode(&mut bytes);
    for byte in bytes {
        raw.socket.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "slowly");
}

#[tokio::test]
async fn what_comes_before_the_peer_has_seen_the_hello_is_for_somebody_else() {
    let (mux, mut raw) = Raw::new();
    let mut listener = mux.listen(5).unwrap();
    raw.send(&[
        open(2, 5),
        Frame::Hello(Hello {
            version: VERSION,
            side: Side::Guest,
            generation: 7,
            seen: 12345,
        }),
        open(4, 5),
    ])
    .await;
    raw.greet(7).await;
    raw.send(&[
        open(6, 5),
        Frame::Data {
            stream: 6,
            payload: b"me",
        },
    ])
    .await;
    let mut stream = soon(listener.accept()).await.unwrap();
    let mut text = [0; 2];
    soon(stream.read_exact(&mut text)).await.unwrap();
    assert_eq!(&text, b"me");
    assert!(
        timeout(Duration::from_millis(50), listener.accept())
            .await
            .is_err()
    );
}

/// What a clone of a guest sees when its new host process takes the old one's place, seen from the other side.
#[tokio::test]
async fn another_peer_on_the_same_link_finds_the_listeners_and_no_streams() {
    let (mux, mut raw) = Raw::greeted().await;
    let mut listener = mux.listen(5).unwrap();
    raw.send(&[open(2, 5), open(4, 5)]).await;
    let mut accepted = soon(listener.accept()).await.unwrap();
    let waiting = tokio::spawn({
        let mux = mux.clone();
        async move { mux.connect_when_listening(1024).await }
    });
    for came in [
        Came::Accept(2),
        Came::Accept(4),
        Came::Open {
            stream: 1,
            port: 1024,
            wait: true,
        },
    ] {
        assert_eq!(raw.next().await, came);
    }
    raw.greet(8).await;
    // The connect that nobody answered is asked again.
    assert_eq!(
        raw.next().await,
        Came::Open {
            stream: 1,
            port: 1024,
            wait: true
        }
    );
    raw.send(&[Frame::Accept {
        stream: 1,
        window: 10,
    }])
    .await;
    soon(waiting).await.unwrap().unwrap();
    assert_eq!(
        soon(accepted.read(&mut [0; 1])).await.unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    // Numbers that were in use are free again.
    drop(accepted);
    raw.send(&[
        open(2, 5),
        Frame::Data {
            stream: 2,
            payload: b"new",
        },
    ])
    .await;
    let mut text = [0; 3];
    soon(soon(listener.accept()).await.unwrap().read_exact(&mut text))
        .await
        .unwrap();
    assert_eq!(&text, b"new");
}

/// The next number of a simple generator.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

#[tokio::test]
async fn random_frames_do_not_break_this_end() {
    for seed in 1..200_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (mux, mut raw) = Raw::greeted().await;
        let mut listener = mux.listen(5).unwrap();
        tokio::spawn(async move {
            while let Ok(mut stream) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(&mut stream);
                    // Whatever way the peer ends it is fine.
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        for _ in 0..4 {
            let mux = mux.clone();
            tokio::spawn(async move { mux.connect(9).await.map(drop) });
        }
        let payload = vec![3; 3000];
        let mut bytes = Vec::new();
        for _ in 0..300 {
            let value = next(&mut random);
            let stream = (value >> 8) as u32 % 12 + 1;
            let amount = (value >> 16) as u32 % 5000;
            match value % 8 {
                0 | 1 => open(stream, 5 + amount % 2).encode(&mut bytes),
                2 => Frame::Accept {
                    stream,
                    window: amount,
                }
                .encode(&mut bytes),
                3 | 4 => {
                    let payload = &payload[..1 + amount as usize % 2999];
                    Frame::Data { stream, payload }.encode(&mut bytes);
                }
                5 => Frame::Credit { stream, amount }.encode(&mut bytes),
                6 => Frame::Fin { stream }.encode(&mut bytes),
                _ => Frame::Reset {
                    stream,
                    reason: Reason::Dropped,
                }
                .encode(&mut bytes),
            }
        }
        if seed % 2 == 0 {
            let at = next(&mut random) as usize % (bytes.len() - HEADER_LEN);
            bytes[at] ^= 1 << (random >> 60 & 7);
        }
        let mut sink = vec![0; 64 * 1024];
        let (mut read, mut write) = raw.socket.split();
        let writing = async {
            // The host hangs up when a flipped bit made a frame senseless.
            let _ = write.write_all(&bytes).await;
            let _ = write.shutdown().await;
        };
        let reading = async { while read.read(&mut sink).await.is_ok_and(|length| length > 0) {} };
        soon(async { tokio::join!(writing, reading) }).await;
        soon(mux.closed()).await;
    }
}
