//! A process's standard streams on their way to the runtime helper.
//!
//! The descriptors travel with the request in the order standard input, output, error; the payload says which of the
//! three are there. A missing one means "not connected".

use std::os::fd::OwnedFd;

use container_ipc::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

/// What a client writes into the socket that it gave for an output stream, before it closes it, when whoever read that
/// output wants no more: the process is then to see a closed pipe. A socket that ends without it belongs to a client that
/// has gone.
pub const NOBODY_READS: u8 = b'.';

/// Up to three descriptors.
#[derive(Debug, Default)]
pub struct Stdio {
    /// What the process reads.
    pub stdin: Option<OwnedFd>,
    /// Where its output goes; with a terminal, all of it.
    pub stdout: Option<OwnedFd>,
    /// Where its error output goes.
    pub stderr: Option<OwnedFd>,
}

/// Which of the three descriptors accompany a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StdioSet {
    /// Standard input is there.
    pub stdin: bool,
    /// Standard output is there.
    pub stdout: bool,
    /// Standard error is there.
    pub stderr: bool,
}

impl Stdio {
    /// Splits into what the payload says and what travels beside it.
    pub fn split(self) -> (StdioSet, Vec<OwnedFd>) {
        let set = StdioSet {
            stdin: self.stdin.is_some(),
            stdout: self.stdout.is_some(),
            stderr: self.stderr.is_some(),
        };
        (
            set,
            [self.stdin, self.stdout, self.stderr]
                .into_iter()
                .flatten()
                .collect(),
        )
    }

    /// Puts together what [`split`](Self::split) took apart.
    ///
    /// # Errors
    /// The number of descriptors is not what `set` says.
    pub fn join(set: StdioSet, fds: Vec<OwnedFd>) -> Result<Self, Error> {
        let expected = [set.stdin, set.stdout, set.stderr]
            .into_iter()
            .filter(|there| *there)
            .count();
        if fds.len() != expected {
            return Err(Error::new(
                ErrorCode::InvalidArgument,
                "standard streams do not match the request",
            ));
        }
        let mut fds = fds.into_iter();
        let mut next = |there: bool| if there { fds.next() } else { None };
        Ok(Self {
            stdin: next(set.stdin),
            stdout: next(set.stdout),
            stderr: next(set.stderr),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn splits_and_joins() -> std::io::Result<()> {
        let stdio = Stdio {
            stdout: Some(File::open("/dev/null")?.into()),
            ..Stdio::default()
        };
        let (set, fds) = stdio.split();
        assert_eq!(
            set,
            StdioSet {
                stdout: true,
                ..StdioSet::default()
            }
        );
        let joined = Stdio::join(set, fds).map_err(std::io::Error::other)?;
        assert!(joined.stdin.is_none() && joined.stdout.is_some() && joined.stderr.is_none());
        assert!(Stdio::join(set, vec![]).is_err());
        Ok(())
    }
}
