//! What a process that is being launched tells the agent.
//!
//! A socket of whole messages, which ends when the process becomes the container's program or dies.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Error, socket};

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
        let (one, other) = socket::pair()?;
        Ok((Self(one), Self(other)))
    }

    /// Takes over a descriptor.
    pub(super) fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Hands the agent its side of the terminal.
    pub(super) fn terminal(&self, master: BorrowedFd<'_>) -> io::Result<()> {
        socket::send(&self.0, b"t", &[master])
    }

    /// Says that the program comes next.
    pub(super) fn ready(&self) -> io::Result<()> {
        socket::send(&self.0, b"r", &[])
    }

    /// Says why there will be no program. A long text is cut.
    pub(super) fn failed(&self, error: &Error) -> io::Result<()> {
        let kind = match error {
            Error::NotFound(_) => b'n',
            Error::Denied(_) => b'd',
            Error::Step { .. } | Error::Configuration(_) => b'f',
        };
        let mut message = vec![kind];
        message.extend(error.to_string().bytes().take(socket::LONGEST - 1));
        socket::send(&self.0, &message, &[])
    }

    /// The next message, waited for; `None` at the end.
    pub(crate) fn receive(&self) -> io::Result<Option<Report>> {
        let (message, fds) = socket::receive(&self.0)?;
        let Some((kind, text)) = message.split_first() else {
            return Ok(None);
        };
        let failed = |failure| Report::Failed(failure, String::from_utf8_lossy(text).into_owned());
        Ok(Some(match (kind, fds.into_iter().next()) {
            (b't', Some(master)) => Report::Terminal(master),
            (b'r', None) => Report::Ready,
            (b'n', None) => failed(Failure::NotFound),
            (b'd', None) => failed(Failure::Denied),
            (b'f', None) => failed(Failure::Other),
            _ => {
                let text = "unknown message from the launcher";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
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
            .failed(&Error::Configuration("x".repeat(2 * socket::LONGEST)))
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
        assert_eq!(text.len(), socket::LONGEST - 1);
        assert!(agent.receive().unwrap().is_none());
    }
}
