//! The seam between networks: how a virtual machine gets its interface.

use std::fmt::Debug;
use std::os::fd::OwnedFd;

use crate::error::Error;

/// A virtual machine's interface as long as it is leased: what has to be dropped at the end.
pub trait Interface: Debug + Send {}

/// What makes interfaces on one network.
pub trait Interfaces: Debug + Send + Sync + 'static {
    /// Makes one. The descriptor is a datagram socket with a frame per message; without one, the virtual machine is to
    /// be given the host's own translation.
    ///
    /// # Errors
    /// It cannot be made.
    fn make(&self, mtu: Option<u32>) -> Result<(Option<OwnedFd>, Box<dyn Interface>), Error>;
}
