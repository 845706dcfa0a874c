//! One connection and its two halves.

use std::ffi::CStr;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use rustix::io::{FdFlags, fcntl_setfd};
use tokio::sync::mpsc;

use super::link::Link;
use super::object::Object;
use crate::frame::{MAX_DESCRIPTORS, MAX_MESSAGE_BYTES};
use crate::transport::{self, Message, Peer, ReceiveError};

const BODY: &CStr = c"dev.container.body";
const DESCRIPTORS: &CStr = c"dev.container.fds";

/// A connection whose ends know each other.
#[derive(Debug)]
pub struct Connection {
    link: Link,
    arrived: mpsc::Receiver<Object>,
    peer: Peer,
    /// Each message has to come from the peer's user.
    checked: bool,
}

impl Connection {
    /// A service's end. A connection may be passed on, and its rights are those of the user who made it: so each message
    /// has to come from that user.
    pub(super) fn of_client(link: Link, arrived: mpsc::Receiver<Object>, peer: Peer) -> Self {
        let checked = true;
        Self {
            link,
            arrived,
            peer,
            checked,
        }
    }

    /// A client's end, to a service that launchd vouches for.
    pub(super) fn to_service(link: Link, arrived: mpsc::Receiver<Object>, peer: Peer) -> Self {
        let checked = false;
        Self {
            link,
            arrived,
            peer,
            checked,
        }
    }
}

impl transport::Connection for Connection {
    type Sender = Sender;
    type Receiver = Receiver;

    fn peer(&self) -> io::Result<Peer> {
        Ok(self.peer)
    }

    fn split(self) -> (Sender, Receiver) {
        let link = Arc::new(self.link);
        (
            Sender {
                link: Arc::clone(&link),
            },
            Receiver {
                link,
                arrived: self.arrived,
                uid: self.checked.then_some(self.peer.uid),
            },
        )
    }
}

/// The half that sends.
#[derive(Debug)]
pub struct Sender {
    link: Arc<Link>,
}

impl transport::Sender for Sender {
    async fn send(&mut self, message: Message) -> io::Result<()> {
        if message.body.len() > MAX_MESSAGE_BYTES || message.fds.len() > MAX_DESCRIPTORS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let dictionary = Object::dictionary();
        dictionary.set_data(BODY, &message.body);
        if !message.fds.is_empty()
            && !dictionary.set_descriptors(DESCRIPTORS, message.fds.iter().map(AsFd::as_fd))
        {
            return Err(io::Error::other("a descriptor cannot be sent"));
        }
        let bytes = message.body.len();
        // The dictionary has copies: this process keeps nothing of what it hands over.
        drop(message);
        self.link.send_in_turn(dictionary, bytes).await
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.link.say_bye();
    }
}

/// The half that receives.
#[derive(Debug)]
pub struct Receiver {
    link: Arc<Link>,
    arrived: mpsc::Receiver<Object>,
    /// Whose messages are taken; everybody's without it.
    uid: Option<u32>,
}

impl transport::Receiver for Receiver {
    async fn receive(&mut self) -> Result<Option<Message>, ReceiveError> {
        let Some(message) = self.arrived.recv().await else {
            return Ok(None);
        };
        self.link.taken(&message);
        if self.uid.is_some_and(|uid| message.sender().uid != uid) {
            return Err(ReceiveError::Malformed);
        }
        let body = message.data(BODY).ok_or(ReceiveError::Malformed)?;
        if body.len() > MAX_MESSAGE_BYTES {
            return Err(ReceiveError::Oversized {
                length: body.len(),
                limit: MAX_MESSAGE_BYTES,
            });
        }
        if message.count(DESCRIPTORS) > MAX_DESCRIPTORS {
            return Err(ReceiveError::Descriptors);
        }
        let fds = message
            .descriptors(DESCRIPTORS)
            .ok_or(ReceiveError::Descriptors)?;
        for fd in &fds {
            fcntl_setfd(fd, FdFlags::CLOEXEC).map_err(io::Error::from)?;
        }
        Ok(Some(Message {
            body: body.to_vec(),
            fds,
        }))
    }
}
