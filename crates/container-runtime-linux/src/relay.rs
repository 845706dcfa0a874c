//! Moving a process's standard streams between the guest and the descriptors the client passed.
//!
//! The client's descriptors are whatever it has: terminals, pipes, files. They are shared with other processes, so
//! their flags are never changed; reads and writes that may block happen on threads of their own.

mod input;
mod output;

pub(crate) use input::Input;
pub(crate) use output::{Output, Sinks};
