//! Messages over Unix stream sockets: a header, the bytes, and the descriptors as ancillary data.
//!
//! The sockets lie in a directory that only their owner can enter. The same code serves Linux and macOS; the
//! few constants that differ are in `system`.

mod connection;
mod header;
mod inherited;
mod listener;
#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;

use std::io;
use std::time::Duration;

pub use connection::{Connection, Receiver, Sender};
pub use inherited::{LISTENER_FD, LISTENER_VARIABLE};
pub use listener::Listener;
use tokio::net::UnixStream;

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::runtime_dir::check_private_dir;
use crate::transport;

/// The transport over Unix sockets.
#[derive(Debug)]
pub struct Transport;

/// How often a connection is tried again while the service has more clients waiting than it accepts.
const RETRY: Duration = Duration::from_millis(2);

impl transport::Transport for Transport {
    type Listener = Listener;
    type Connection = Connection;

    fn bind(endpoint: &Endpoint) -> Result<Listener, Error> {
        Listener::bind(endpoint)
    }

    async fn connect(endpoint: &Endpoint) -> io::Result<Connection> {
        // Somebody else's directory may hold somebody else's service.
        if let Some(reason) = check_private_dir(endpoint.runtime_dir())? {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        let path = endpoint.socket_path();
        loop {
            match UnixStream::connect(&path).await {
                // A full backlog: the kernel offers nothing to wait on.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(RETRY).await,
                Err(error) => return Err(error),
                Ok(stream) => return Ok(Connection::from(stream)),
            }
        }
    }
}
