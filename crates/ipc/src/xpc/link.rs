//! One connection of libxpc, and what its handlers share with the two halves of it.

use std::cell::Cell;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use block2::RcBlock;
use dispatch2::{DispatchQueue, DispatchQueueAttr, DispatchRetained};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::object::{Kind, Object};
use super::sys;
use super::window::{WINDOW, places};
use crate::transport::Peer;

/// The key of the first message of either side; its value is the version of what follows.
const HELLO: &std::ffi::CStr = c"dev.container.hello";
/// The key that the last message of a side has.
const BYE: &std::ffi::CStr = c"dev.container.bye";
const VERSION: u64 = 1;

/// What came in and was not taken yet.
#[derive(Debug)]
pub(super) struct Inbox {
    /// Gone once nothing more comes.
    arrived: Mutex<Option<mpsc::Sender<Object>>>,
    /// What may be sent before the peer has to take something. Closed when the connection is gone.
    window: Arc<Semaphore>,
}

impl Inbox {
    fn new() -> (Arc<Self>, mpsc::Receiver<Object>) {
        // A peer that keeps to the window never has more messages under way.
        let (sender, receiver) = mpsc::channel(WINDOW + 1);
        let inbox = Self {
            arrived: Mutex::new(Some(sender)),
            window: Arc::new(Semaphore::new(WINDOW)),
        };
        (Arc::new(inbox), receiver)
    }

    /// Takes an event of the connection.
    fn event(&self, event: Object) {
        match event.kind() {
            Kind::Dictionary if event.number(BYE) != 0 => drop(self.lock().take()),
            Kind::Dictionary => {
                let sent = self.lock().as_ref().map(|arrived| arrived.try_send(event));
                // Without a receiver nobody wants it; its sender learns that when the connection ends.
                if matches!(sent, Some(Err(mpsc::error::TrySendError::Full(_)))) {
                    self.end();
                }
            }
            Kind::End => self.end(),
            Kind::Connection | Kind::Other => {}
        }
    }

    /// Nothing more comes or goes. Whoever has the two halves drops them then, which ends the connection.
    fn end(&self) {
        drop(self.lock().take());
        self.window.close();
    }

    fn lock(&self) -> MutexGuard<'_, Option<mpsc::Sender<Object>>> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection. Cancelled when dropped, after what was sent is out.
#[derive(Debug)]
pub(super) struct Link {
    connection: Object,
    queue: DispatchRetained<DispatchQueue>,
    inbox: Arc<Inbox>,
}

impl Link {
    /// A client's end. libxpc connects at the first message.
    pub(super) fn client(connection: Object) -> (Self, mpsc::Receiver<Object>) {
        let (link, receiver) = Self::new(connection);
        let inbox = Arc::clone(&link.inbox);
        activate(&link.connection, &link.queue, move |event| inbox.event(event));
        (link, receiver)
    }

    /// A service's end, which `accept` gets once the client has introduced itself.
    pub(super) fn service(connection: Object, accept: impl Fn(Self, mpsc::Receiver<Object>, Peer) + 'static) {
        let (link, receiver) = Self::new(connection);
        let (connection, queue, inbox) = (
            link.connection.clone(),
            link.queue.clone(),
            Arc::clone(&link.inbox),
        );
        // Until then the handler itself keeps the connection; whatever comes first takes it out of there.
        let waiting = Cell::new(Some((link, receiver)));
        activate(&connection, &queue, move |event| {
            let Some((link, receiver)) = waiting.take() else {
                return inbox.event(event);
            };
            // Anything else than an introduction ends the connection, by dropping it.
            if event.kind() == Kind::Dictionary
                && event.number(HELLO) == VERSION
                && let Some(reply) = event.reply()
            {
                reply.set_number(HELLO, VERSION);
                link.send(&reply);
                accept(link, receiver, event.sender());
            }
        });
    }

    fn new(connection: Object) -> (Self, mpsc::Receiver<Object>) {
        let (inbox, receiver) = Inbox::new();
        let link = Self {
            connection,
            queue: DispatchQueue::new("dev.container.ipc", DispatchQueueAttr::SERIAL),
            inbox,
        };
        (link, receiver)
    }

    /// Introduces this end to the service, and learns who that is.
    ///
    /// # Errors
    /// Nobody has the service's name, it ended, or it speaks another version.
    pub(super) async fn introduce(&self) -> io::Result<Peer> {
        let hello = Object::dictionary();
        hello.set_number(HELLO, VERSION);
        let (answer, answered) = oneshot::channel();
        let answer = Cell::new(Some(answer));
        self.send_with_reply(&hello, move |reply| {
            if let Some(answer) = answer.take() {
                // Nobody waits any more when the deadline has passed.
                drop(answer.send(reply));
            }
        });
        drop(hello);
        match answered.await {
            Ok(reply) if reply.kind() == Kind::Dictionary && reply.number(HELLO) == VERSION => {
                Ok(self.connection.peer())
            }
            Ok(reply) if reply.kind() == Kind::Dictionary => Err(io::ErrorKind::InvalidData.into()),
            Ok(reply) if reply.is_invalid_connection() => Err(io::ErrorKind::NotFound.into()),
            Ok(_) | Err(_) => Err(io::ErrorKind::ConnectionRefused.into()),
        }
    }

    /// Sends a message of so many bytes, when the peer has taken enough of those before it. Returns when it is out of
    /// this process, which may then end.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn send_in_turn(&self, message: Object, bytes: usize) -> io::Result<()> {
        let window = Arc::clone(&self.inbox.window);
        let Ok(places) = window.acquire_many_owned(places(bytes)).await else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (out, is_out) = oneshot::channel();
        let (inbox, places) = (Arc::clone(&self.inbox), Cell::new(Some(places)));
        self.send_with_reply(&message, move |reply| {
            if reply.kind() != Kind::Dictionary {
                inbox.window.close();
            }
            drop(places.take());
        });
        drop(message);
        let out = Cell::new(Some(out));
        self.barrier(move || {
            if let Some(out) = out.take() {
                // Nobody waits when the sender was dropped.
                let _ = out.send(());
            }
        });
        is_out.await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Answers a message that was taken, so that its sender may send more.
    pub(super) fn taken(&self, message: &Object) {
        if let Some(reply) = message.reply() {
            self.send(&reply);
        }
    }

    /// Tells the peer that nothing more comes from here.
    pub(super) fn say_bye(&self) {
        let bye = Object::dictionary();
        bye.set_number(BYE, 1);
        self.send(&bye);
    }

    fn send(&self, message: &Object) {
        // SAFETY: a connection that was activated, and a dictionary.
        unsafe { sys::xpc_connection_send_message(self.connection.as_ptr(), message.as_ptr()) }
    }

    /// The handler is called once, on the queue, with a dictionary or an error.
    fn send_with_reply(&self, message: &Object, handler: impl Fn(Object) + 'static) {
        let handler = RcBlock::new(move |reply: sys::XpcObject| {
            // SAFETY: libxpc keeps the reply alive during the call.
            if let Some(reply) = unsafe { Object::borrowed(reply) } {
                handler(reply);
            }
        });
        // SAFETY: a connection that was activated, and a dictionary. The block is copied; what it captures may go to
        // the queue's threads, one after the other: semaphore permits, channels and objects of libxpc, all `Send`.
        unsafe {
            sys::xpc_connection_send_message_with_reply(
                self.connection.as_ptr(),
                message.as_ptr(),
                Some(&self.queue),
                &handler,
            );
        }
    }

    /// Has `done` called when everything sent so far has left this process, or cannot any more.
    fn barrier(&self, done: impl Fn() + 'static) {
        let done = RcBlock::new(done);
        // SAFETY: a connection that was activated. The block is copied, called once, and captures what may go to
        // another thread: a channel's end, or an object of libxpc.
        unsafe { sys::xpc_connection_send_barrier(self.connection.as_ptr(), &done) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let connection = self.connection.clone();
        self.barrier(move || cancel(&connection));
    }
}

/// Starts a connection or listener whose events go to `handler`, on `queue`.
pub(super) fn activate(connection: &Object, queue: &DispatchQueue, handler: impl Fn(Object) + 'static) {
    let handler = RcBlock::new(move |event: sys::XpcObject| {
        // SAFETY: libxpc keeps the event alive during the call.
        if let Some(event) = unsafe { Object::borrowed(event) } {
            handler(event);
        }
    });
    // SAFETY: a connection that was not activated before. The block is copied, and called on the serial queue alone, so
    // by one thread at a time; what it captures may change threads: channels, semaphores, objects of libxpc and queues.
    unsafe {
        sys::xpc_connection_set_target_queue(connection.as_ptr(), Some(queue));
        sys::xpc_connection_set_event_handler(connection.as_ptr(), &handler);
        sys::xpc_connection_activate(connection.as_ptr());
    }
}

/// Ends a connection or listener: its handler gets one more event, and is released.
pub(super) fn cancel(connection: &Object) {
    // SAFETY: any connection may be cancelled at any time, also again.
    unsafe { sys::xpc_connection_cancel(connection.as_ptr()) }
}
