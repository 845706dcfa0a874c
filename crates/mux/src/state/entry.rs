use std::collections::VecDeque;
use std::io;
use std::task::Waker;

use crate::WINDOW;
use crate::frame::Reason;

/// How far a stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// This end asked for it and waits for the answer.
    Opening {
        /// The peer's port.
        port: u32,
        /// The peer shall wait for a listener.
        wait: bool,
        /// The request is on the wire.
        sent: bool,
    },
    /// The peer asked for it and nobody listens yet.
    Waiting {
        /// The port that it wants.
        port: u32,
    },
    /// Both ends may send.
    Open,
}

/// Why a stream is gone before both its directions were closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gone {
    /// The peer reset it.
    Peer(Reason),
    /// The peer sent more than it might.
    Overrun,
    /// The link is over.
    Link,
}

/// How far the sending direction is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    /// It is open.
    No,
    /// It will be when everything is sent.
    Due,
    /// It is closed.
    Sent,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) phase: Phase,
    /// Somebody holds it: a [`Stream`](crate::Stream), or the backlog of a listener.
    pub(crate) owned: bool,
    /// It is in line to send.
    pub(super) queued: bool,
    pub(crate) gone: Option<Gone>,
    pub(super) reset_due: Option<Reason>,
    pub(super) accept_due: bool,

    /// Bytes that came and were not read yet.
    pub(crate) received: VecDeque<u8>,
    pub(crate) peer_fin: bool,
    /// Bytes that the peer may still send.
    pub(super) allowance: u32,
    /// Bytes that were read and for which the peer has no new credit yet.
    consumed: u32,
    pub(crate) reader: Option<Waker>,

    /// Bytes that were written and not sent yet.
    pub(crate) sending: VecDeque<u8>,
    pub(crate) fin: Fin,
    /// Bytes that we may still send.
    pub(super) credit: u64,
    pub(crate) writer: Option<Waker>,
}

impl Entry {
    fn new(phase: Phase) -> Self {
        Self {
            phase,
            owned: false,
            queued: false,
            gone: None,
            reset_due: None,
            accept_due: false,
            received: VecDeque::new(),
            peer_fin: false,
            allowance: 0,
            consumed: 0,
            reader: None,
            sending: VecDeque::new(),
            fin: Fin::No,
            credit: 0,
            writer: None,
        }
    }

    /// A stream that this end opens.
    pub(super) fn opening(port: u32, wait: bool) -> Self {
        Self {
            owned: true,
            ..Self::new(Phase::Opening {
                port,
                wait,
                sent: false,
            })
        }
    }

    /// A stream that the peer opens.
    pub(super) fn waiting(port: u32, credit: u32) -> Self {
        Self {
            credit: credit.into(),
            ..Self::new(Phase::Waiting { port })
        }
    }

    pub(super) fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Marks the stream as gone. What was received stays readable.
    pub(super) fn fail(&mut self, why: Gone) {
        self.gone.get_or_insert(why);
        self.sending = VecDeque::new();
        self.wake();
    }

    /// Nobody holds the stream any more; true when nothing is left to tell the peer either.
    pub(super) fn released(&mut self) -> bool {
        self.received = VecDeque::new();
        self.reader = None;
        self.writer = None;
        match self.phase {
            Phase::Opening { sent: false, .. } => return true,
            _ if self.gone.is_some() => return self.reset_due.is_none(),
            Phase::Open if self.fin != Fin::No => return self.fin == Fin::Sent && self.peer_fin,
            _ => self.sending = VecDeque::new(),
        }
        self.reset_due = Some(Reason::Dropped);
        false
    }

    /// Copies received bytes to `out` and says how many, and whether the peer is due new credit.
    pub(crate) fn read(&mut self, out: &mut tokio::io::ReadBuf<'_>) -> (usize, bool) {
        let (first, second) = self.received.as_slices();
        let from_first = first.len().min(out.remaining());
        out.put_slice(&first[..from_first]);
        let from_second = second.len().min(out.remaining());
        out.put_slice(&second[..from_second]);
        let amount = from_first + from_second;
        self.received.drain(..amount);
        self.consumed += amount as u32;
        (amount, self.credit_due())
    }

    pub(super) fn credit_due(&self) -> bool {
        self.consumed >= WINDOW / 2 && !self.peer_fin && self.gone.is_none()
    }

    /// Takes the credit that the peer is due.
    pub(super) fn take_credit(&mut self) -> u32 {
        self.allowance += self.consumed;
        std::mem::take(&mut self.consumed)
    }

    /// The error that a reader or writer of a stream that is gone sees.
    pub(crate) fn error(&self, kind: io::ErrorKind) -> io::Error {
        match self.gone {
            Some(Gone::Overrun) => io::Error::new(kind, "the peer sent more than it was allowed"),
            Some(Gone::Link) => io::Error::new(kind, "the link to the peer is gone"),
            _ => kind.into(),
        }
    }
}
