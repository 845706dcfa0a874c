//! Many byte streams over one virtio-serial port.
//!
//! A virtual machine without vsock still has one reliable byte stream to its host. This crate runs
//! many independent full-duplex streams over it, addressed by 32-bit ports as vsock addresses them,
//! opened from either side:
//!
//! ```no_run
//! # async fn example(io: tokio::io::DuplexStream) -> Result<(), container_mux::Error> {
//! use container_mux::{Mux, Side};
//!
//! let mux = Mux::new(io, Side::Host);
//! let listener = mux.listen(0x1000_0000)?; // the guest may connect to this port
//! let agent = mux.connect_when_listening(1024).await?; // as soon as the guest's agent listens
//! # Ok(()) }
//! ```
//!
//! Each stream has its own credit, so one that nobody reads stops only its own sender. Whatever the
//! peer sends, the memory held for it stays within [`MAX_STREAMS`] × [`WINDOW`], and a stream that breaks the
//! rules is reset alone; bytes that are no frame end the whole link.

mod driver;
mod error;
pub mod frame;
#[cfg(target_os = "linux")]
pub mod guest;
mod listener;
mod mux;
mod state;
mod stream;

pub use error::{Error, LinkError};
pub use listener::Listener;
pub use mux::Mux;
pub use stream::Stream;

/// Which end of the link this is: it decides which stream ids this end hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The end outside of the virtual machine.
    Host,
    /// The end inside of the virtual machine.
    Guest,
}

/// Bytes that a peer may send on one stream before they are read: the receive buffer of a stream.
pub const WINDOW: u32 = 256 * 1024;

/// Streams that each end may have opened at one time.
pub const MAX_STREAMS: usize = 1024;

/// Streams that wait in one [`Listener`] to be accepted; a further one is refused.
pub const BACKLOG: usize = 128;
