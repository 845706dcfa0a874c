//! A service's name and the clients that come to it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::path::PathBuf;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dispatch2::{DispatchQueue, DispatchQueueAttr};
use tokio::sync::mpsc;

use super::connection::Connection;
use super::link::{self, Link};
use super::object::{Kind, Object};
use super::sys;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::lock_file::LockFile;
use crate::runtime_dir::ensure_private_dir;
use crate::transport;

/// Clients that wait to be accepted; further ones are refused.
const BACKLOG: usize = 128;

/// The variable in which launchd tells a job what it is called. Other processes have it too, with the value `0` or the
/// name of what started them, so it only ever explains a failure.
const JOB: &str = "XPC_SERVICE_NAME";

/// A service's name.
#[derive(Debug)]
pub struct Listener {
    connection: Object,
    accepted: mpsc::Receiver<io::Result<Connection>>,
    _address: Address,
}

/// The right to a name; given back when dropped.
#[derive(Debug)]
enum Address {
    /// Held against the same service in another session of the user, which has names of its own.
    Mach { _lock: LockFile },
    /// A name in this process.
    Anonymous { key: Key },
}

impl Listener {
    /// Serves the mach service that launchd registered for this process's job:
    /// [`Endpoint::mach_name`](crate::Endpoint::mach_name) under `MachServices` in its property list.
    ///
    /// Fails with [`ErrorCode::Exists`](crate::ErrorCode::Exists) while a process of another of the user's sessions
    /// serves it. That launchd did not register the name shows when a client is waited for.
    ///
    /// # Panics
    ///
    /// When the name has a NUL character.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, Error> {
        ensure_private_dir(endpoint.runtime_dir())?;
        let failed = |error: io::Error| {
            Error::internal(format!("failed to lock service {}: {error}", endpoint.service()))
        };
        let lock = LockFile::claim(&endpoint.lock_path()).map_err(failed)?;
        let lock = lock.ok_or_else(|| already_running(endpoint))?;
        let name = CString::new(endpoint.mach_name()).expect("names of services are plain text");
        let queue = DispatchQueue::new("dev.container.ipc.listener", DispatchQueueAttr::SERIAL);
        // SAFETY: a C string, a queue that lives, and a new object that is ours.
        let connection = unsafe {
            Object::owned(sys::xpc_connection_create_mach_service(
                name.as_ptr(),
                Some(&queue),
                sys::MACH_SERVICE_LISTENER,
            ))
        };
        let (connection, accepted) = listen(connection, &queue)?;
        Ok(Self {
            connection,
            accepted,
            _address: Address::Mach { _lock: lock },
        })
    }

    /// As [`bind`](Self::bind): launchd has made the listener of a job that it started.
    pub fn inherit(endpoint: &Endpoint) -> Result<Self, Error> {
        Self::bind(endpoint)
    }

    /// Serves `endpoint` to clients in this process.
    pub(super) fn anonymous(endpoint: &Endpoint) -> Result<Self, Error> {
        let key = key(endpoint);
        let mut names = names();
        if names.contains_key(&key) {
            return Err(already_running(endpoint));
        }
        let queue = DispatchQueue::new("dev.container.ipc.listener", DispatchQueueAttr::SERIAL);
        // SAFETY: no name, a queue that lives, and a new object that is ours.
        let connection = unsafe { Object::owned(sys::xpc_connection_create(ptr::null(), Some(&queue))) };
        let (connection, accepted) = listen(connection, &queue)?;
        // SAFETY: a listener without a name, and a new object that is ours.
        let endpoint = unsafe { Object::owned(sys::xpc_endpoint_create(connection.as_ptr())) };
        names.extend(endpoint.map(|endpoint| (key.clone(), endpoint)));
        Ok(Self {
            connection,
            accepted,
            _address: Address::Anonymous { key },
        })
    }
}

/// Starts to listen.
fn listen(
    connection: Option<Object>,
    queue: &DispatchQueue,
) -> Result<(Object, mpsc::Receiver<io::Result<Connection>>), Error> {
    let connection = connection.ok_or_else(|| Error::internal("failed to create an XPC listener"))?;
    let (sender, accepted) = mpsc::channel(BACKLOG);
    link::activate(&connection, queue, move |event| match event.kind() {
        Kind::Connection => {
            let sender = sender.clone();
            Link::service(event, move |link, arrived, peer| {
                // A full queue refuses the client, by dropping its connection.
                drop(sender.try_send(Ok(Connection::of_client(link, arrived, peer))));
            });
        }
        Kind::End => drop(sender.try_send(Err(refused()))),
        Kind::Dictionary | Kind::Other => {}
    });
    Ok((connection, accepted))
}

fn already_running(endpoint: &Endpoint) -> Error {
    Error::exists(format!("service {} is already running", endpoint.service()))
}

fn refused() -> io::Error {
    let job = std::env::var(JOB).unwrap_or_default();
    io::Error::other(format!(
        "launchd has not registered the service for this process (its job is {job:?}); start it with `container system start`"
    ))
}

impl transport::Listener for Listener {
    type Connection = Connection;

    async fn accept(&mut self) -> io::Result<Connection> {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The failure was told before, and nobody comes any more.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        link::cancel(&self.connection);
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        if let Self::Anonymous { key } = self {
            names().remove(key);
        }
    }
}

/// A name among those of this process.
type Key = (PathBuf, String);

static NAMES: Mutex<BTreeMap<Key, Object>> = Mutex::new(BTreeMap::new());

fn names() -> MutexGuard<'static, BTreeMap<Key, Object>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(endpoint: &Endpoint) -> Key {
    (
        endpoint.runtime_dir().to_path_buf(),
        endpoint.service().to_owned(),
    )
}

/// A connection to a listener of this process that has no name; `None` when nobody listens.
pub(super) fn connect_anonymous(endpoint: &Endpoint) -> Option<Object> {
    let names = names();
    let endpoint = names.get(&key(endpoint))?;
    // SAFETY: an endpoint that is alive, and a new object that is ours.
    unsafe { Object::owned(sys::xpc_connection_create_from_endpoint(endpoint.as_ptr())) }
}
