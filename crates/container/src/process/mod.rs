//! Running a process in the foreground: its standard streams, its terminal, and signals (behaviour.md 12).
//!
//! # What the runtime helper gets
//!
//! Never this process's own descriptors, although passing those would save one copy of every byte. What the copy buys:
//!
//! * When this command is killed, or gives up after the third Ctrl-C, the container keeps running, and its output must
//!   not keep appearing on the user's terminal, nor keep whoever collects this command's output waiting for its end.
//! * A stopped job (Ctrl-Z) is silent and reads nothing. The helper is in another session: the kernel would not stop it.
//! * A helper that reads ahead takes nothing of what belongs to the next command of a script, and no flags are shared.
//!
//! Output comes through sockets. What is in them when the helper answers the wait, which it does after writing
//! everything, is all there is, so the end is exact without a grace period ([`Streams::drain`]). When the reader of this
//! command's output goes away (`| head`), the helper is told so by one byte in the other direction, and the process in the
//! container gets the SIGPIPE that it would have got without one; the end of the socket alone means that this command has
//! gone, which is no concern of the process.
//!
//! Input goes through a pipe. Only a detached process with `-i` gets standard input itself, when that is a file, a pipe or
//! a socket: this command will not be there to copy it.

mod session;
mod signals;
mod streams;

pub use session::{Session, check, join, start};
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
