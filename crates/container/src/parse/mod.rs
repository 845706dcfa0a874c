//! Grammars of option values (behaviour.md 9), one file each. Everything here is a pure function of its arguments:
//! what exists on the host comes in through a parameter, so that errors and results are the same everywhere.

pub mod capability;
pub mod change;
pub mod copy;
pub mod cpus;
pub mod dns;
pub mod env;
pub mod health;
pub mod host;
pub mod journal;
pub mod key_value;
pub mod label;
pub mod last;
pub mod memory;
pub mod moment;
pub mod mount;
pub mod network;
pub mod path_list;
pub mod platform;
pub mod publish;
pub mod publish_socket;
pub mod sysctl;
pub mod ulimit;
pub mod user;
pub mod volume;

use container_ipc::Error;

/// A value that does not follow its grammar.
fn invalid<T>(text: impl Into<String>) -> Result<T, Error> {
    Err(Error::invalid_argument(text))
}
