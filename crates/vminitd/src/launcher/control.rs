//! What the launcher tells the agent that started it.
//!
//! A socket of whole messages, which ends when the launcher becomes the container's program or dies.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::Error;

/// Longest message in bytes; a longer text is cut.
const LONGEST: usize = 4096;

/// One message.
#[derive(Debug)]
pub(crate) enum Report {
    /// The agent's side of the new terminal.
    Terminal(OwnedFd),
    /// Everything is set up, and the program comes next.
    Ready,
    /// There will be no program.
    Failed(Failure, String),
}

/// What kept the program from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is not there.
    NotFound,
    /// It may not be run.
    Denied,
    /// Anything else.
    Other,
}

/// One end of the socket.
#[derive(Debug)]
pub struct Control(OwnedFd);

impl Control {
    /// Makes both ends.
    pub(crate) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = rustix::net::socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        Ok((Self(one), Self(other)))
    }

    /// Takes over a descriptor.
    pub(crate) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Hands the agent its side of the terminal.
    pub(super) fn terminal(&self, master: BorrowedFd<'_>) -> io::Result<()> {
        self.send(b't', "", &[master])
    }

    /// Says that the program comes next.
    pub(super) fn ready(&self) -> io::Result<()> {
        self.send(b'r', "", &[])
    }

    /// Says why there will be no program.
    pub(super) fn failed(&self, error: &Error) -> io::Result<()> {
        let kind = match error {
            Error::NotFound(_) => b'n',
            Error::Denied(_) => b'd',
            Error::Step { .. } | Error::Configuration(_) => b'f',
        };
        self.send(kind, &error.to_string(), &[])
    }

    fn send(&self, kind: u8, text: &str, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = &text.as_bytes()[..text.len().min(LONGEST - 1)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(fds));
        }
        let message = [IoSlice::new(std::slice::from_ref(&kind)), IoSlice::new(text)];
        rustix::net::sendmsg(&self.0, &message, &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message, waited for; `None` at the end.
    pub(crate) fn receive(&self) -> io::Result<Option<Report>> {
        let mut bytes = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let buffer = &mut [IoSliceMut::new(&mut bytes)];
            match rustix::net::recvmsg(&self.0, buffer, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?,
            }
        };
        let fd = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        let Some((kind, text)) = bytes[..received.bytes].split_first() else {
            return Ok(None);
        };
        let failed = |failure| Report::Failed(failure, String::from_utf8_lossy(text).into_owned());
        Ok(Some(match (kind, fd) {
            (b't', Some(master)) => Report::Terminal(master),
            (b'r', None) => Report::Ready,
            (b'n', None) => failed(Failure::NotFound),
            (b'd', None) => failed(Failure::Denied),
            (b'f', None) => failed(Failure::Other),
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "unknown message from the launcher",
                ));
            }
        }))
    }
}

impl AsFd for Control {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_whole_and_in_order() {
        let (launcher, agent) = Control::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        launcher.terminal(file.as_fd()).unwrap();
        launcher.ready().unwrap();
        launcher.failed(&Error::NotFound("sh".into())).unwrap();
        launcher
            .failed(&Error::Configuration("x".repeat(2 * LONGEST)))
            .unwrap();
        drop(launcher);
        assert!(matches!(agent.receive().unwrap(), Some(Report::Terminal(_))));
        assert!(matches!(agent.receive().unwrap(), Some(Report::Ready)));
        let Some(Report::Failed(Failure::NotFound, text)) = agent.receive().unwrap() else {
            panic!()
        };
        assert_eq!(text, "failed to find target executable sh");
        let Some(Report::Failed(Failure::Other, text)) = agent.receive().unwrap() else {
            panic!()
        };
        assert_eq!(text.len(), LONGEST - 1);
        assert!(agent.receive().unwrap().is_none());
    }
}
