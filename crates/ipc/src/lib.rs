//! Calls between the local processes of one user.
//!
//! A service binds a [`Listener`] to an [`Endpoint`] and serves a [`Router`]; its callers connect a
//! [`Client`]. One call is a [`Route`] with a typed request and a typed response, either of which may carry
//! descriptors. Every call has a deadline that fires at the caller whatever the service does, may stream
//! [`ProgressEvent`]s, and is cancelled in the service when the caller gives up or disappears. Errors keep
//! their structure, [`ErrorCode`] and chain of causes, across the process border.
//!
//! What the user sees of all this (codes, texts, timeouts) follows behaviour.md 2 and 27.
//!
//! The [`transport`] module is the seam between platforms: everything above it only needs messages of bytes
//! and descriptors between two processes, and the peer's user.

mod client;
mod endpoint;
mod error;
mod frame;
mod lock_file;
mod outgoing;
mod progress;
mod route;
mod router;
mod runtime_dir;
mod server;
pub mod transport;
pub mod unix;
#[cfg(any(target_os = "macos", test))]
pub mod xpc;

pub use client::{Call, Client};
pub use endpoint::Endpoint;
pub use error::{Error, ErrorCode};
pub use frame::{MAX_DESCRIPTORS, MAX_IN_FLIGHT, MAX_MESSAGE_BYTES};
pub use lock_file::LockFile;
pub use progress::{Progress, ProgressEvent};
pub use route::{Reply, Request, Route, Session};
pub use router::Router;
pub use runtime_dir::{ensure_private_dir, file_stem, runtime_dir, short_hash};
pub use server::{serve, serve_with};
pub use transport::Peer;
/// The transport in use on this platform.
#[cfg(not(target_os = "macos"))]
pub use unix as platform;
/// The transport in use on this platform.
#[cfg(target_os = "macos")]
pub use xpc as platform;

pub use platform::Listener;
