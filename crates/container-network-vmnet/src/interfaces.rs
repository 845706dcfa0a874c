//! The seam between networks: how a virtual machine gets its interface.

use std::fmt::Debug;
use std::os::fd::OwnedFd;

use crate::error::Error;

/// A virtual machine's interface as long as it is leased: what has to be dropped at the end, which may block.
pub trait Interface: Debug + Send {}

/// What makes interfaces on one network.
pub trait Interfaces: Debug + Send + Sync + 'static {
    /// Makes one, whose frames go through `socket`, a datagram socket with a frame per message. Others may have the same
    /// socket, so it is closed at the end, and not shut down. Blocks.
    ///
    /// # Errors
    /// It cannot be made.
    fn make(&self, socket: OwnedFd) -> Result<Box<dyn Interface>, Error>;
}
