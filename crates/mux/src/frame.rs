//! The frames on the wire: an eight-byte little-endian header and a payload.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | kind |
//! | 1 | flags |
//! | 2–3 | length of the payload |
//! | 4–7 | stream id; 0 for frames about the whole link |
//!
//! The host numbers the streams it opens 1, 3, 5…, the guest 2, 4, 6….

use crate::Side;

/// Length of every header.
pub const HEADER_LEN: usize = 8;

/// The longest payload; with its header such a frame fills exactly 64 KiB.
pub const MAX_PAYLOAD: usize = 64 * 1024 - HEADER_LEN;

/// The version of the protocol that this crate speaks.
pub const VERSION: u16 = 1;

const MAGIC: &[u8; 4] = b"cmux";
const FLAG_WAIT: u8 = 1;

const HELLO: u8 = 1;
const PAD: u8 = 2;
const OPEN: u8 = 3;
const ACCEPT: u8 = 4;
const DATA: u8 = 5;
const CREDIT: u8 = 6;
const FIN: u8 = 7;
const RESET: u8 = 8;

/// Bytes that are no frame. What follows them cannot be told apart any more, so the link is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No frame has this kind.
    #[error("unknown frame kind {0}")]
    Kind(u8),
    /// Flags that the kind does not have.
    #[error("unknown flags {flags:#x} on frame kind {kind}")]
    Flags {
        /// The kind of the frame.
        kind: u8,
        /// Its flags.
        flags: u8,
    },
    /// A length that the kind cannot have.
    #[error("frame kind {kind} with a payload of {length} bytes")]
    Length {
        /// The kind of the frame.
        kind: u8,
        /// The length in its header.
        length: usize,
    },
    /// A stream's frame without a stream, or a link's frame with one.
    #[error("frame kind {kind} for stream {stream}")]
    Stream {
        /// The kind of the frame.
        kind: u8,
        /// The stream in its header.
        stream: u32,
    },
    /// A hello that does not begin with the protocol's name.
    #[error("the hello is not this protocol's")]
    Magic,
    /// A reset with an unknown reason, or a hello from an unknown side.
    #[error("frame kind {kind} with an unknown value {value}")]
    Value {
        /// The kind of the frame.
        kind: u8,
        /// The value that has no meaning.
        value: u8,
    },
}

/// Why a stream is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The stream's owner dropped it, or both its directions are closed.
    Dropped,
    /// Nobody listens on the port, or its backlog is full.
    Refused,
    /// The stream's peer sent more than its credit allowed.
    Overrun,
}

/// The first frame of each end, and its answer to the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// Version of the protocol that the sender speaks.
    pub version: u16,
    /// The sender's side.
    pub side: Side,
    /// A random number that tells this run of the sender from another.
    pub generation: u64,
    /// The receiver's generation if the sender knows it, else 0.
    pub seen: u64,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// See [`Hello`].
    Hello(Hello),
    /// Means nothing; lets an end find out that the other is there.
    Pad,
    /// Opens a stream to a port.
    Open {
        /// The new stream.
        stream: u32,
        /// The port to connect to.
        port: u32,
        /// Bytes that may be sent to the opener.
        window: u32,
        /// Wait for a listener instead of being refused.
        wait: bool,
    },
    /// Answers [`Frame::Open`].
    Accept {
        /// The stream that is open now.
        stream: u32,
        /// Bytes that may be sent to the acceptor.
        window: u32,
    },
    /// Bytes of a stream.
    Data {
        /// The stream.
        stream: u32,
        /// Its next bytes, at least one.
        payload: &'a [u8],
    },
    /// Lets the receiver of this frame send more.
    Credit {
        /// The stream.
        stream: u32,
        /// How many bytes more.
        amount: u32,
    },
    /// No more bytes follow in this direction.
    Fin {
        /// The stream.
        stream: u32,
    },
    /// The stream is gone. Bytes before this frame stay readable.
    Reset {
        /// The stream.
        stream: u32,
        /// Why.
        reason: Reason,
    },
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// Parses the frame at the start of `bytes`; `None` when it is not complete yet. The second value is the frame's length.
///
/// # Errors
/// The bytes are no frame. A bad header is found as soon as its eight bytes are there.
pub fn parse(bytes: &[u8]) -> Result<Option<(Frame<'_>, usize)>, FrameError> {
    let Some(header) = bytes.get(..HEADER_LEN) else {
        return Ok(None);
    };
    let (kind, flags, length, stream) = (
        header[0],
        header[1],
        usize::from(u16_at(header, 2)),
        u32_at(header, 4),
    );
    let (lengths, known_flags) = match kind {
        HELLO => (24..=24, 0),
        PAD | FIN => (0..=0, 0),
        OPEN => (8..=8, FLAG_WAIT),
        ACCEPT | CREDIT => (4..=4, 0),
        DATA => (1..=MAX_PAYLOAD, 0),
        RESET => (1..=1, 0),
        _ => return Err(FrameError::Kind(kind)),
    };
    if flags & !known_flags != 0 {
        return Err(FrameError::Flags { kind, flags });
    }
    if !lengths.contains(&length) {
        return Err(FrameError::Length { kind, length });
    }
    if matches!(kind, HELLO | PAD) != (stream == 0) {
        return Err(FrameError::Stream { kind, stream });
    }
    let total = HEADER_LEN + length;
    let Some(payload) = bytes.get(HEADER_LEN..total) else {
        return Ok(None);
    };
    let frame = match kind {
        HELLO => Frame::Hello(parse_hello(payload)?),
        PAD => Frame::Pad,
        OPEN => Frame::Open {
            stream,
            port: u32_at(payload, 0),
            window: u32_at(payload, 4),
            wait: flags & FLAG_WAIT != 0,
        },
        ACCEPT => Frame::Accept {
            stream,
            window: u32_at(payload, 0),
        },
        DATA => Frame::Data { stream, payload },
        CREDIT => Frame::Credit {
            stream,
            amount: u32_at(payload, 0),
        },
        FIN => Frame::Fin { stream },
        _ => Frame::Reset {
            stream,
            reason: parse_reason(payload[0])?,
        },
    };
    Ok(Some((frame, total)))
}

fn parse_hello(payload: &[u8]) -> Result<Hello, FrameError> {
    if &payload[..4] != MAGIC {
        return Err(FrameError::Magic);
    }
    let side = match payload[6] {
        0 => Side::Host,
        1 => Side::Guest,
        value => return Err(FrameError::Value { kind: HELLO, value }),
    };
    Ok(Hello {
        version: u16_at(payload, 4),
        side,
        generation: u64_at(payload, 8),
        seen: u64_at(payload, 16),
    })
}

fn parse_reason(value: u8) -> Result<Reason, FrameError> {
    match value {
        0 => Ok(Reason::Dropped),
        1 => Ok(Reason::Refused),
        2 => Ok(Reason::Overrun),
        _ => Err(FrameError::Value { kind: RESET, value }),
    }
}

fn header(out: &mut Vec<u8>, kind: u8, flags: u8, length: u16, stream: u32) {
    let mut bytes = [kind, flags, 0, 0, 0, 0, 0, 0];
    bytes[2..4].copy_from_slice(&length.to_le_bytes());
    bytes[4..].copy_from_slice(&stream.to_le_bytes());
    out.extend_from_slice(&bytes);
}

impl Frame<'_> {
    /// Appends the frame to `out`.
    ///
    /// # Panics
    /// [`Frame::Data`] has a payload longer than [`MAX_PAYLOAD`].
    pub fn encode(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Hello(hello) => {
                header(out, HELLO, 0, 24, 0);
                out.extend_from_slice(MAGIC);
                out.extend_from_slice(&hello.version.to_le_bytes());
                out.extend_from_slice(&[u8::from(hello.side == Side::Guest), 0]);
                out.extend_from_slice(&hello.generation.to_le_bytes());
                out.extend_from_slice(&hello.seen.to_le_bytes());
            }
            Self::Pad => header(out, PAD, 0, 0, 0),
            Self::Open {
                stream,
                port,
                window,
                wait,
            } => {
                header(out, OPEN, if wait { FLAG_WAIT } else { 0 }, 8, stream);
                out.extend_from_slice(&port.to_le_bytes());
                out.extend_from_slice(&window.to_le_bytes());
            }
            Self::Accept { stream, window } => {
                header(out, ACCEPT, 0, 4, stream);
                out.extend_from_slice(&window.to_le_bytes());
            }
            Self::Data { stream, payload } => {
                data_header(out, stream, payload.len());
                out.extend_from_slice(payload);
            }
            Self::Credit { stream, amount } => {
                header(out, CREDIT, 0, 4, stream);
                out.extend_from_slice(&amount.to_le_bytes());
            }
            Self::Fin { stream } => header(out, FIN, 0, 0, stream),
            Self::Reset { stream, reason } => {
                header(out, RESET, 0, 1, stream);
                out.push(match reason {
                    Reason::Dropped => 0,
                    Reason::Refused => 1,
                    Reason::Overrun => 2,
                });
            }
        }
    }
}

/// Appends the header of a [`Frame::Data`], whose payload the caller appends from where it lies.
pub(crate) fn data_header(out: &mut Vec<u8>, stream: u32, length: usize) {
    assert!(length <= MAX_PAYLOAD, "a payload of {length} bytes");
    header(out, DATA, 0, length as u16, stream);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_frame() -> Vec<Frame<'static>> {
        vec![
            Frame::Hello(Hello {
                version: VERSION,
                side: Side::Guest,
                generation: u64::MAX - 7,
                seen: 3,
            }),
            Frame::Pad,
            Frame::Open {
                stream: 3,
                port: 1024,
                window: 9,
                wait: true,
            },
            Frame::Open {
                stream: 0xfedc_ba98,
                port: u32::MAX,
                window: u32::MAX,
                wait: false,
            },
            Frame::Accept {
                stream: 4,
                window: 0x0102_0304,
            },
            Frame::Data {
                stream: 5,
                payload: b"hello",
            },
            Frame::Credit {
                stream: 6,
                amount: 77,
            },
            Frame::Fin { stream: 7 },
            Frame::Reset {
                stream: 8,
                reason: Reason::Dropped,
            },
            Frame::Reset {
                stream: 8,
                reason: Reason::Refused,
            },
            Frame::Reset {
                stream: 8,
                reason: Reason::Overrun,
            },
        ]
    }

    #[test]
    fn frames_survive_the_wire() {
        for frame in every_frame() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            let length = bytes.len();
            bytes.extend_from_slice(b"what follows");
            assert_eq!(parse(&bytes), Ok(Some((frame, length))));
            for cut in 0..length {
                assert_eq!(parse(&bytes[..cut]), Ok(None), "{frame:?} cut to {cut} bytes");
            }
        }
    }

    #[test]
    fn the_wire_is_little_endian_and_fixed() {
        let mut bytes = Vec::new();
        Frame::Open {
            stream: 0x0102_0304,
            port: 1024,
            window: 0x4_0000,
            wait: true,
        }
        .encode(&mut bytes);
        assert_eq!(bytes, [3, 1, 8, 0, 4, 3, 2, 1, 0, 4, 0, 0, 0, 0, 4, 0]);
    }

    #[test]
    fn bad_headers_are_refused_before_their_payload_comes() {
        let cases: [([u8; 8], FrameError); 8] = [
            ([0, 0, 0, 0, 0, 0, 0, 0], FrameError::Kind(0)),
            ([9, 0, 0, 0, 1, 0, 0, 0], FrameError::Kind(9)),
            (
                [DATA, 1, 1, 0, 1, 0, 0, 0],
                FrameError::Flags { kind: DATA, flags: 1 },
            ),
            (
                [DATA, 0, 0, 0, 1, 0, 0, 0],
                FrameError::Length {
                    kind: DATA,
                    length: 0,
                },
            ),
            (
                [DATA, 0, 0xff, 0xff, 1, 0, 0, 0],
                FrameError::Length {
                    kind: DATA,
                    length: 0xffff,
                },
            ),
            (
                [CREDIT, 0, 8, 0, 1, 0, 0, 0],
                FrameError::Length {
                    kind: CREDIT,
                    length: 8,
                },
            ),
            (
                [FIN, 0, 0, 0, 0, 0, 0, 0],
                FrameError::Stream { kind: FIN, stream: 0 },
            ),
            (
                [PAD, 0, 0, 0, 1, 0, 0, 0],
                FrameError::Stream { kind: PAD, stream: 1 },
            ),
        ];
        for (bytes, error) in cases {
            assert_eq!(parse(&bytes), Err(error));
        }
    }

    #[test]
    fn bad_payloads_are_refused() {
        let mut hello = Vec::new();
        Frame::Hello(Hello {
            version: 1,
            side: Side::Host,
            generation: 1,
            seen: 0,
        })
        .encode(&mut hello);
        let mut other = hello.clone();
        other[8] = b'x';
        assert_eq!(parse(&other), Err(FrameError::Magic));
        let mut other = hello;
        other[14] = 2;
        assert_eq!(
            parse(&other),
            Err(FrameError::Value {
                kind: HELLO,
                value: 2
            })
        );
        assert_eq!(
            parse(&[RESET, 0, 1, 0, 1, 0, 0, 0, 3]),
            Err(FrameError::Value {
                kind: RESET,
                value: 3
            })
        );
    }

    #[test]
    fn every_two_byte_change_of_every_frame_parses_or_fails() {
        for frame in every_frame() {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            for at in 0..bytes.len() {
                for value in 0..=u8::MAX {
                    let mut changed = bytes.clone();
                    changed[at] = value;
                    if let Some(next) = changed.get_mut(at + 1) {
                        *next = !*next;
                    }
                    if let Ok(Some((_, length))) = parse(&changed) {
                        assert!(length >= HEADER_LEN && length <= changed.len());
                    }
                }
            }
        }
    }
}
