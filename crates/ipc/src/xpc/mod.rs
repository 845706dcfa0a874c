//! Messages over XPC: one dictionary each, with the bytes as data and the descriptors as an array.
//!
//! A service's name is a mach service, which launchd keeps for the service's job: it queues what clients send until the
//! job listens. A client therefore introduces itself and waits for an answer before it is connected; without a service
//! of that name libxpc says so at once. Who a peer is comes from the audit token of its messages.
//!
//! Every message is answered when it has been taken, which bounds what is under way (see `window`), and a side that
//! ends says so, so that its peer has everything that was sent before.
//!
//! Interruptions (the service died) and invalidations (its name is unknown, or the connection was cancelled here) both
//! end a connection: calls fail, and a new connection is the caller's decision, as with Unix sockets.

#[cfg(target_os = "macos")]
mod connection;
#[cfg(target_os = "macos")]
mod link;
#[cfg(target_os = "macos")]
mod listener;
#[cfg(target_os = "macos")]
mod object;
#[cfg(target_os = "macos")]
mod sys;
#[cfg(target_os = "macos")]
mod transports;
mod window;

#[cfg(target_os = "macos")]
pub use connection::{Connection, Receiver, Sender};
#[cfg(target_os = "macos")]
pub use listener::Listener;
#[cfg(target_os = "macos")]
pub use transports::{Anonymous, Transport};
