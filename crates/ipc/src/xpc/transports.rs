//! The two ways to find a service.

use std::ffi::CString;
use std::io;

use super::connection::Connection;
use super::link::Link;
use super::listener::{Listener, connect_anonymous};
use super::object::Object;
use super::sys;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::transport;

/// The transport over XPC, with mach services as addresses.
#[derive(Debug)]
pub struct Transport;

impl transport::Transport for Transport {
    type Listener = Listener;
    type Connection = Connection;

    fn bind(endpoint: &Endpoint) -> Result<Listener, Error> {
        Listener::bind(endpoint)
    }

    async fn connect(endpoint: &Endpoint) -> io::Result<Connection> {
        let name = CString::new(endpoint.mach_name()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a C string, and a new object that is ours.
        let made = unsafe { Object::owned(sys::xpc_connection_create_mach_service(name.as_ptr(), None, 0)) };
        connect(made).await
    }
}

/// The same transport within one process, which needs no launchd: for tests.
#[derive(Debug)]
pub struct Anonymous;

impl transport::Transport for Anonymous {
    type Listener = Listener;
    type Connection = Connection;

    fn bind(endpoint: &Endpoint) -> Result<Listener, Error> {
        Listener::anonymous(endpoint)
    }

    async fn connect(endpoint: &Endpoint) -> io::Result<Connection> {
        connect(connect_anonymous(endpoint)).await
    }
}

async fn connect(connection: Option<Object>) -> io::Result<Connection> {
    let connection = connection.ok_or(io::ErrorKind::NotFound)?;
    let (link, arrived) = Link::client(connection);
    let peer = link.introduce().await?;
    // Another user's process could have taken the name.
    if peer.uid != rustix::process::geteuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(Connection::to_service(link, arrived, peer))
}
