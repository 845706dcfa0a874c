//! What both ends of a link know: pure bookkeeping between frames and streams, without any I/O.

mod entry;
mod incoming;
mod outgoing;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

use crate::frame::Reason;
use crate::{Error, LinkError, MAX_STREAMS, Side};
pub(crate) use entry::{Entry, Gone, Phase};
pub(crate) use outgoing::BATCH;

/// Refusals that may wait to be sent. No honest peer has more opens under way than it may have streams.
const MAX_REFUSALS: usize = 2 * MAX_STREAMS;

/// Where a link is in its life.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    /// The peer has not said hello yet.
    Waiting,
    /// The peer is there.
    Up,
    /// It is over.
    Down(LinkError),
}

/// What a stream is known by here. A stream that the peer opened is known by the peer's run and its number, since the
/// next run counts from the start again while somebody may still hold the streams of the last one.
pub(crate) type Key = u64;

#[derive(Debug, Default)]
struct Backlog {
    streams: VecDeque<Key>,
    waker: Option<Waker>,
}

/// The state of one end, shared by its driver and its streams.
#[derive(Debug)]
pub(crate) struct State {
    side: Side,
    generation: u64,
    /// The peer's generation, once its hello came.
    peer: Option<u64>,
    /// The peer has seen our hello: what it sends from here on is meant for us.
    established: bool,
    hello_due: bool,
    streams: HashMap<Key, Entry>,
    /// How many peers there were before this one.
    run: u32,
    next_stream: u32,
    opened: usize,
    accepted: usize,
    listeners: HashMap<u32, Backlog>,
    /// Streams that have something to send, each at most once.
    ready: VecDeque<Key>,
    refusals: VecDeque<u32>,
    driver: Option<Waker>,
    link: watch::Sender<Link>,
    dropped: bool,
}

/// What the driver, the streams and the listeners of one end hold together.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<State>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a link alive: when the last of these is gone, its driver stops.
#[derive(Debug)]
pub(crate) struct Handle(pub(crate) Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.dropped = true;
        state.wake_driver();
    }
}

impl State {
    pub(crate) fn shared(side: Side) -> Arc<Shared> {
        // A random number that needs no entropy of its own: early in a guest's boot reading some could block.
        let generation = RandomState::new().build_hasher().finish() | 1;
        Arc::new(Shared(Mutex::new(Self {
            side,
            generation,
            peer: None,
            established: false,
            hello_due: true,
            streams: HashMap::new(),
            run: 0,
            next_stream: if side == Side::Host { 1 } else { 2 },
            opened: 0,
            accepted: 0,
            listeners: HashMap::new(),
            ready: VecDeque::new(),
            refusals: VecDeque::new(),
            driver: None,
            link: watch::Sender::new(Link::Waiting),
            dropped: false,
        })))
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// All handles are gone and nothing that was promised is left to send.
    pub(crate) fn finished(&self) -> bool {
        self.dropped && self.ready.is_empty() && self.streams.is_empty()
    }

    pub(crate) fn set_driver(&mut self, waker: &Waker) {
        if !self.driver.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.driver = Some(waker.clone());
        }
    }

    fn wake_driver(&mut self) {
        if let Some(waker) = &self.driver {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn down(&self) -> Option<LinkError> {
        match &*self.link.borrow() {
            Link::Down(error) => Some(error.clone()),
            _ => None,
        }
    }

    /// Ends the link: every stream, listener and connect learns of it.
    pub(crate) fn close(&mut self, error: LinkError) {
        self.link.send_replace(Link::Down(error));
        self.ready.clear();
        self.refusals.clear();
        self.streams.retain(|_, entry| {
            entry.fail(Gone::Link);
            entry.owned
        });
        for backlog in self.listeners.values_mut() {
            if let Some(waker) = backlog.waker.take() {
                waker.wake();
            }
        }
    }

    fn ours(&self, stream: u32) -> bool {
        (stream % 2 == 1) == (self.side == Side::Host)
    }

    fn key(&self, stream: u32) -> Key {
        let run = if self.ours(stream) { 0 } else { self.run };
        (Key::from(run) << 32) | Key::from(stream)
    }

    fn insert(&mut self, key: Key, entry: Entry) {
        *self.count(key) += 1;
        self.streams.insert(key, entry);
    }

    fn remove(&mut self, key: Key) {
        if self.streams.remove(&key).is_some() {
            *self.count(key) -= 1;
        }
    }

    fn count(&mut self, key: Key) -> &mut usize {
        if self.ours(wire_id(key)) {
            &mut self.opened
        } else {
            &mut self.accepted
        }
    }

    /// Puts a stream in line to send, and wakes the driver if the line was empty.
    pub(crate) fn mark(&mut self, key: Key) {
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        if !entry.queued {
            entry.queued = true;
            self.ready.push_back(key);
            if self.ready.len() == 1 {
                self.wake_driver();
            }
        }
    }

    pub(crate) fn entry(&mut self, key: Key) -> Option<&mut Entry> {
        self.streams.get_mut(&key)
    }

    /// Begins to open a stream.
    pub(crate) fn connect(&mut self, port: u32, wait: bool) -> Result<Key, Error> {
        if let Some(error) = self.down() {
            return Err(error.into());
        }
        if self.opened >= MAX_STREAMS {
            return Err(Error::TooManyStreams);
        }
        while self.next_stream == 0 || self.streams.contains_key(&self.key(self.next_stream)) {
            self.next_stream = self.next_stream.wrapping_add(2);
        }
        let stream = self.next_stream;
        self.next_stream = stream.wrapping_add(2);
        let key = self.key(stream);
        self.insert(key, Entry::opening(port, wait));
        self.mark(key);
        Ok(key)
    }

    pub(crate) fn poll_connect(
        &mut self,
        key: Key,
        port: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        if let Some(error) = self.down() {
            return Poll::Ready(Err(error.into()));
        }
        let Some(entry) = self.streams.get_mut(&key) else {
            return Poll::Ready(Err(Error::Reset(port)));
        };
        match (&entry.gone, &entry.phase) {
            (Some(Gone::Peer(Reason::Refused)), _) => Poll::Ready(Err(Error::Refused(port))),
            (None, Phase::Open) => Poll::Ready(Ok(())),
            (None, _) => {
                entry.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            (Some(_), _) => Poll::Ready(Err(Error::Reset(port))),
        }
    }

    /// Begins to listen, and accepts the connects that wait for this port.
    pub(crate) fn listen(&mut self, port: u32) -> Result<(), Error> {
        if let Some(error) = self.down() {
            return Err(error.into());
        }
        if self.listeners.contains_key(&port) {
            return Err(Error::PortInUse(port));
        }
        self.listeners.insert(port, Backlog::default());
        let mut waiting: Vec<Key> = self
            .streams
            .iter()
            .filter(|(_, entry)| matches!(entry.phase, Phase::Waiting { port: other, .. } if other == port))
            .map(|(key, _)| *key)
            .collect();
        waiting.sort_unstable();
        for key in waiting {
            self.offer(key, port);
        }
        Ok(())
    }

    pub(crate) fn poll_accept(&mut self, port: u32, cx: &mut Context<'_>) -> Poll<Result<Key, LinkError>> {
        if let Some(key) = self
            .listeners
            .get_mut(&port)
            .and_then(|backlog| backlog.streams.pop_front())
        {
            return Poll::Ready(Ok(key));
        }
        if let Some(error) = self.down() {
            return Poll::Ready(Err(error));
        }
        if let Some(backlog) = self.listeners.get_mut(&port) {
            backlog.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    pub(crate) fn unlisten(&mut self, port: u32) {
        for key in self
            .listeners
            .remove(&port)
            .map(|backlog| backlog.streams)
            .unwrap_or_default()
        {
            self.release(key);
        }
    }

    /// The owner of a stream is gone.
    pub(crate) fn release(&mut self, key: Key) {
        let Some(entry) = self.streams.get_mut(&key) else {
            return;
        };
        entry.owned = false;
        if entry.released() {
            self.remove(key);
        } else {
            self.mark(key);
        }
    }
}

/// The number of a stream in frames.
fn wire_id(key: Key) -> u32 {
    key as u32
}
