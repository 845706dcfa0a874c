use super::entry::Fin;
use super::{Entry, Gone, Phase, State, wire_id};
use crate::WINDOW;
use crate::frame::{self, Frame, Hello, MAX_PAYLOAD, Reason, VERSION};

/// A batch of frames is closed when it is this long; its last frame may exceed it.
pub(crate) const BATCH: usize = 128 * 1024;

/// Payload of a frame while other streams want to send too.
const SHARE: usize = 16 * 1024;

/// Bytes that a stream holds for sending before its writer has to wait.
pub(crate) const SEND_BUFFER: usize = 128 * 1024;

/// What is to be done with a stream after its turn.
enum Next {
    Nothing,
    Again,
    Remove,
}

impl State {
    /// Appends frames to send to `out`, about a [`BATCH`] of them, each stream in its turn.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.hello_due) {
            let seen = self.peer.unwrap_or(0);
            Frame::Hello(Hello {
                version: VERSION,
                side: self.side,
                generation: self.generation,
                seen,
            })
            .encode(out);
        }
        if self.peer.is_none() {
            return;
        }
        while out.len() < BATCH
            && let Some(stream) = self.refusals.pop_front()
        {
            Frame::Reset {
                stream,
                reason: Reason::Refused,
            }
            .encode(out);
        }
        while out.len() < BATCH
            && let Some(key) = self.ready.pop_front()
        {
            let Some(entry) = self.streams.get_mut(&key) else {
                continue;
            };
            entry.queued = false;
            let share = if self.ready.is_empty() { MAX_PAYLOAD } else { SHARE };
            match entry.turn(wire_id(key), share, out) {
                Next::Nothing => {}
                Next::Again => {
                    entry.queued = true;
                    self.ready.push_back(key);
                }
                Next::Remove => self.remove(key),
            }
        }
    }

    /// Everything that could be sent was.
    pub(crate) fn idle(&self) -> bool {
        !self.hello_due && (self.peer.is_none() || (self.ready.is_empty() && self.refusals.is_empty()))
    }
}

impl Entry {
    fn turn(&mut self, stream: u32, share: usize, out: &mut Vec<u8>) -> Next {
        if let Some(reason) = self.reset_due.take() {
            Frame::Reset { stream, reason }.encode(out);
            return if self.owned { Next::Nothing } else { Next::Remove };
        }
        if self.gone.is_some() {
            return if self.owned { Next::Nothing } else { Next::Remove };
        }
        if let Phase::Opening { port, wait, sent } = &mut self.phase {
            if !std::mem::replace(sent, true) {
                self.allowance = WINDOW;
                Frame::Open {
                    stream,
                    port: *port,
                    window: WINDOW,
                    wait: *wait,
                }
                .encode(out);
            }
            return Next::Nothing;
        }
        if std::mem::take(&mut self.accept_due) {
            Frame::Accept {
                stream,
                window: WINDOW,
            }
            .encode(out);
        }
        if self.credit_due() {
            let amount = self.take_credit();
            Frame::Credit { stream, amount }.encode(out);
        }
        self.send(stream, share, out);
        if !self.sending.is_empty() {
            return if self.credit > 0 {
                Next::Again
            } else {
                Next::Nothing
            };
        }
        if self.fin == Fin::Due {
            self.fin = Fin::Sent;
            Frame::Fin { stream }.encode(out);
        }
        if self.owned {
            return Next::Nothing;
        }
        if !self.peer_fin {
            Frame::Reset {
                stream,
                reason: Reason::Dropped,
            }
            .encode(out);
        }
        Next::Remove
    }

    fn send(&mut self, stream: u32, share: usize, out: &mut Vec<u8>) {
        let length = share
            .min(self.sending.len())
            .min(usize::try_from(self.credit).unwrap_or(usize::MAX));
        if length == 0 {
            return;
        }
        frame::data_header(out, stream, length);
        let (first, second) = self.sending.as_slices();
        let from_first = first.len().min(length);
        out.extend_from_slice(&first[..from_first]);
        out.extend_from_slice(&second[..length - from_first]);
        self.sending.drain(..length);
        self.credit -= length as u64;
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }

    /// Takes bytes to send and says how many; 0 when there is no room.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let length = bytes.len().min(SEND_BUFFER - self.sending.len());
        self.sending.extend(&bytes[..length]);
        length
    }

    /// Nothing more follows in the sending direction.
    pub(crate) fn finish(&mut self) {
        if self.fin == Fin::No {
            self.fin = Fin::Due;
        }
    }

    pub(crate) fn finished(&self) -> bool {
        self.fin != Fin::No
    }

    /// The link itself went down, and with it the stream.
    pub(crate) fn link_down(&self) -> bool {
        self.gone == Some(Gone::Link)
    }
}
