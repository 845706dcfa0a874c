//! Running a process in the foreground: its standard streams, its terminal, and signals (behaviour.md 12).
//!
//! # Why pipes
//!
//! The runtime helper gets the far ends of pipes, never this process's own descriptors, although passing those would
//! save one copy of every byte. What the copy buys:
//!
//! * When this process is killed or gives up after the third Ctrl-C, the container keeps running, and its output must
//!   not keep appearing on the user's terminal, nor keep a shell waiting in `$(container run …)` for the end of a pipe
//!   that the helper still holds.
//! * A stopped job (Ctrl-Z) is silent and reads nothing. The helper is in another session: the kernel would not stop it.
//! * A descriptor that is passed on shares its flags with the shell and its other children; a pipe is nobody else's.
//!
//! The end is still exact, without a grace period: the helper answers the wait only when every byte of output is in
//! the pipes, so what can be read without blocking after that answer is all there is ([`Streams::drain`]). When the
//! reader of this process's output goes away (`| head`), the pipe is closed, which the helper passes on as a closed
//! stream, so that the process in the container gets the SIGPIPE that it would have got here.
//!
//! A detached process has no output here. With `-i` it gets standard input itself when that is a file or a pipe,
//! because this process will not be there to copy it.

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
