use super::{Entry, Gone, Key, Link, MAX_REFUSALS, Phase, State, wire_id};
use crate::frame::{Frame, Hello, Reason, VERSION};
use crate::{BACKLOG, LinkError, MAX_STREAMS, WINDOW};

impl State {
    /// More frames may be taken in: their answers have room.
    pub(crate) fn accepts_input(&self) -> bool {
        self.refusals.len() < MAX_REFUSALS
    }

    /// Takes in one frame of the peer.
    ///
    /// # Errors
    /// The link cannot go on. A frame that breaks the rules of its stream resets that stream only.
    pub(crate) fn receive(&mut self, frame: Frame<'_>) -> Result<(), LinkError> {
        match frame {
            Frame::Hello(hello) => return self.hello(hello),
            // Meant for another run of this end: the peer has not seen our hello yet.
            _ if !self.established => {}
            Frame::Pad => {}
            Frame::Open {
                stream,
                port,
                window,
                wait,
            } => self.open(stream, port, window, wait),
            Frame::Accept { stream, window } => self.accepted(stream, window),
            Frame::Data { stream, payload } => self.data(stream, payload),
            Frame::Credit { stream, amount } => self.credit(stream, amount),
            Frame::Fin { stream } => self.fin(stream),
            Frame::Reset { stream, reason } => self.reset(stream, reason),
        }
        Ok(())
    }

    fn hello(&mut self, hello: Hello) -> Result<(), LinkError> {
        if hello.version != VERSION {
            return Err(LinkError::Version(hello.version));
        }
        if hello.side == self.side {
            return Err(LinkError::SameSide);
        }
        let new = self.peer != Some(hello.generation);
        if new {
            self.restart();
            self.peer = Some(hello.generation);
        }
        if new || hello.seen != self.generation {
            self.hello_due = true;
            self.wake_driver();
        }
        if hello.seen == self.generation {
            self.established = true;
            self.link.send_replace(Link::Up);
        }
        Ok(())
    }

    /// The peer is another one than before, or the first one: nothing that was open is known to it.
    fn restart(&mut self) {
        self.established = false;
        self.run = self.run.wrapping_add(1);
        self.refusals.clear();
        self.ready.clear();
        for key in self
            .listeners
            .values_mut()
            .flat_map(|backlog| backlog.streams.drain(..))
        {
            if let Some(entry) = self.streams.get_mut(&key) {
                entry.owned = false;
            }
        }
        let mut gone = Vec::new();
        let mut again = Vec::new();
        for (key, entry) in &mut self.streams {
            entry.queued = false;
            match &mut entry.phase {
                Phase::Opening { sent, .. } if entry.owned => {
                    *sent = false;
                    again.push(*key);
                }
                _ => {
                    entry.reset_due = None;
                    entry.fail(Gone::Peer(Reason::Dropped));
                    gone.extend((!entry.owned).then_some(*key));
                }
            }
        }
        gone.into_iter().for_each(|key| self.remove(key));
        again.sort_unstable();
        again.into_iter().for_each(|key| self.mark(key));
    }

    fn open(&mut self, stream: u32, port: u32, window: u32, wait: bool) {
        let key = self.key(stream);
        if self.ours(stream) || self.streams.contains_key(&key) {
            return;
        }
        let listening = self.listeners.contains_key(&port);
        if self.accepted >= MAX_STREAMS || !(listening || wait) {
            self.refuse(stream);
            return;
        }
        self.insert(key, Entry::waiting(port, window));
        if listening {
            self.offer(key, port);
        }
    }

    fn refuse(&mut self, stream: u32) {
        self.refusals.push_back(stream);
        self.wake_driver();
    }

    /// Hands a waiting stream to the listener of its port.
    pub(super) fn offer(&mut self, key: Key, port: u32) {
        let (Some(backlog), Some(entry)) = (self.listeners.get_mut(&port), self.streams.get_mut(&key)) else {
            return;
        };
        if backlog.streams.len() >= BACKLOG {
            self.remove(key);
            self.refuse(wire_id(key));
            return;
        }
        entry.phase = Phase::Open;
        entry.owned = true;
        entry.accept_due = true;
        entry.allowance = WINDOW;
        backlog.streams.push_back(key);
        if let Some(waker) = backlog.waker.take() {
            waker.wake();
        }
        self.mark(key);
    }

    fn accepted(&mut self, stream: u32, window: u32) {
        let key = self.key(stream);
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        if matches!(entry.phase, Phase::Opening { sent: true, .. }) && entry.reset_due.is_none() {
            entry.phase = Phase::Open;
            entry.credit = window.into();
            entry.wake();
        }
    }

    fn data(&mut self, stream: u32, payload: &[u8]) {
        let key = self.key(stream);
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        if entry.gone.is_some() || entry.reset_due.is_some() {
            return;
        }
        let length = payload.len() as u32;
        if entry.phase != Phase::Open || entry.peer_fin || entry.allowance < length {
            entry.fail(Gone::Overrun);
            entry.reset_due = Some(Reason::Overrun);
            self.mark(key);
            return;
        }
        entry.allowance -= length;
        if entry.owned {
            entry.received.extend(payload);
            if let Some(waker) = entry.reader.take() {
                waker.wake();
            }
        }
    }

    fn credit(&mut self, stream: u32, amount: u32) {
        let key = self.key(stream);
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        entry.credit = entry.credit.saturating_add(amount.into());
        if !entry.sending.is_empty() {
            self.mark(key);
        }
    }

    fn fin(&mut self, stream: u32) {
        let key = self.key(stream);
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        if entry.phase != Phase::Open {
            return;
        }
        entry.peer_fin = true;
        if let Some(waker) = entry.reader.take() {
            waker.wake();
        }
    }

    fn reset(&mut self, stream: u32, reason: Reason) {
        let key = self.key(stream);
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        entry.reset_due = None;
        entry.fail(Gone::Peer(reason));
        if !entry.owned {
            self.remove(key);
        }
    }
}
