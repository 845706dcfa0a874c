//! One connection and its two halves.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    Shutdown, recvmsg, sendmsg, shutdown,
};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::header::{self, Header};
use super::system;
use crate::frame::{MAX_DESCRIPTORS, MAX_MESSAGE_BYTES};
use crate::transport::{self, Message, Peer, ReceiveError};

/// Room for the ancillary data of one message.
const ANCILLARY: usize = rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS));

/// How much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A connected socket.
#[derive(Debug)]
pub struct Connection(UnixStream);

impl From<UnixStream> for Connection {
    fn from(stream: UnixStream) -> Self {
        Self(stream)
    }
}

impl transport::Connection for Connection {
    type Sender = Sender;
    type Receiver = Receiver;

    fn peer(&self) -> io::Result<Peer> {
        let peer = self.0.peer_cred()?;
        Ok(Peer {
            uid: peer.uid(),
            pid: peer.pid(),
        })
    }

    fn split(self) -> (Sender, Receiver) {
        let (read, write) = self.0.into_split();
        (
            Sender {
                half: write,
                prepared: false,
            },
            Receiver {
                half: read,
                chunk: vec![0; CHUNK],
                bytes: Vec::new(),
                fds: VecDeque::new(),
            },
        )
    }
}

/// The half that sends.
#[derive(Debug)]
pub struct Sender {
    half: OwnedWriteHalf,
    prepared: bool,
}

impl Sender {
    async fn write(&mut self, message: Message) -> io::Result<()> {
        if !self.prepared {
            system::prepare(self.half.as_ref())?;
            self.prepared = true;
        }
        let (Ok(length), Ok(count)) = (
            u32::try_from(message.body.len()),
            u16::try_from(message.fds.len()),
        ) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if message.body.len() > MAX_MESSAGE_BYTES || message.fds.len() > MAX_DESCRIPTORS {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let header = Header { fds: count, length }.encode();
        let total = header.len() + message.body.len();
        let mut sent = 0;
        while sent < total {
            let fds: Vec<BorrowedFd<'_>> = if sent == 0 {
                // Descriptors travel with the first byte, so they are there before the message is complete.
                message.fds.iter().map(AsFd::as_fd).collect()
            } else {
                Vec::new()
            };
            let (head, body) = if sent < header.len() {
                (&header[sent..], &message.body[..])
            } else {
                (&[][..], &message.body[sent - header.len()..])
            };
            sent += self
                .half
                .as_ref()
                .async_io(Interest::WRITABLE, || {
                    let mut space = [MaybeUninit::uninit(); ANCILLARY];
                    let mut ancillary = SendAncillaryBuffer::new(&mut space);
                    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(&fds)) {
                        return Err(io::ErrorKind::InvalidInput.into());
                    }
                    let parts = [IoSlice::new(head), IoSlice::new(body)];
                    Ok(sendmsg(self.half.as_ref(), &parts, &mut ancillary, system::SEND)?)
                })
                .await?;
        }
        Ok(())
    }
}

impl transport::Sender for Sender {
    async fn send(&mut self, message: Message) -> io::Result<()> {
        let result = self.write(message).await;
        if result.is_err() {
            // What has arrived can still be read; nothing more comes.
            let _ = shutdown(self.half.as_ref(), Shutdown::Both);
        }
        result
    }
}

/// The half that receives.
#[derive(Debug)]
pub struct Receiver {
    half: OwnedReadHalf,
    chunk: Vec<u8>,
    /// Received and not yet taken.
    bytes: Vec<u8>,
    /// Descriptors whose message is not complete yet, in order.
    fds: VecDeque<OwnedFd>,
}

impl Receiver {
    /// Takes the first message out of what has been received.
    fn take(&mut self) -> Result<Option<Message>, ReceiveError> {
        let Some(header) = Header::decode(&self.bytes)? else {
            return Ok(None);
        };
        let end = header::BYTES + header.length as usize;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let count = usize::from(header.fds);
        if self.fds.len() < count {
            return Err(ReceiveError::Descriptors);
        }
        let body = self.bytes[header::BYTES..end].to_vec();
        self.bytes.drain(..end);
        if self.bytes.is_empty() && self.bytes.capacity() > CHUNK {
            self.bytes = Vec::new();
        }
        Ok(Some(Message {
            body,
            fds: self.fds.drain(..count).collect(),
        }))
    }

    /// Receives once; the number of bytes, zero at the end.
    async fn fill(&mut self) -> Result<usize, ReceiveError> {
        let Self {
            half,
            chunk,
            bytes,
            fds,
        } = self;
        let socket = half.as_ref();
        let mut space = [MaybeUninit::uninit(); ANCILLARY];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = socket
            .async_io(Interest::READABLE, || {
                let mut parts = [IoSliceMut::new(chunk)];
                Ok(recvmsg(socket, &mut parts, &mut ancillary, system::RECEIVE)?)
            })
            .await?;
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                fds.extend(received);
            }
        }
        if received.flags.contains(ReturnFlags::CTRUNC) || fds.len() > 2 * MAX_DESCRIPTORS {
            return Err(ReceiveError::Descriptors);
        }
        for fd in fds.iter() {
            system::close_on_exec(fd.as_fd())?;
        }
        bytes.extend_from_slice(&chunk[..received.bytes]);
        Ok(received.bytes)
    }
}

impl transport::Receiver for Receiver {
    async fn receive(&mut self) -> Result<Option<Message>, ReceiveError> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(Some(message));
            }
            match self.fill().await {
                Ok(0) if self.bytes.is_empty() => return Ok(None),
                Ok(0) => return Err(ReceiveError::Truncated),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
