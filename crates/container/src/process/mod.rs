//! Running a process in the foreground: its standard streams, its terminal, and signals (behaviour.md 12).
//!
//! # Whose descriptors the runtime helper gets
//!
//! *Standard output and error that are no terminal* (pipes, files) go to the helper as they are: no byte is copied here,
//! the helper answers the wait only when it has written everything, and when a reader has enough (`| head`) the process
//! in the container gets the SIGPIPE that it would have got without one. The helper never changes a descriptor's flags,
//! which are shared with the shell.
//!
//! *A terminal* is not handed out. When this command is killed, or gives up after the third Ctrl-C, the container keeps
//! running, and nothing of it must appear on the user's terminal any more; nor while the job is stopped (Ctrl-Z), which
//! the kernel could not do to the helper, because that is in another session. So the helper gets one end of a socket,
//! and threads here copy from the other end. A socket, because its end tells the helper that the command has gone, which
//! must not be taken for a reader that has enough. What is in the socket when the wait is answered is all there is, so
//! the end is exact without a grace period ([`Streams::drain`]).
//!
//! *Standard input* is copied through a pipe in every case, for the same reason as a terminal's output, and because a
//! helper that reads ahead would take what belongs to the next command of a script. Only a detached process with `-i` gets
//! the descriptor itself, when that is no terminal: this command will not be there to copy it.

mod session;
mod signals;
mod streams;

pub use session::{Session, check, start};
pub use streams::{Streams, open};

/// How a process is tied to this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The process reads standard input (`-i`).
    pub interactive: bool,
    /// The process has a pseudo terminal (`-t`).
    pub tty: bool,
    /// Nobody waits for the process (`-d`).
    pub detached: bool,
}

impl Attachment {
    /// The terminal here belongs to the process: every key goes there.
    pub fn takes_terminal(self) -> bool {
        self.interactive && self.tty && !self.detached
    }
}
