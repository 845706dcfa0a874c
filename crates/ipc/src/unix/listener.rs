//! A service's socket and the lock that makes it the only one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use tokio::net::UnixListener;

use super::{Connection, inherited};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::lock_file::LockFile;
use crate::runtime_dir::ensure_private_dir;
use crate::transport;

/// A service's socket.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    _address: Option<Address>,
}

impl Listener {
    /// Listens at `endpoint`, in a directory that is created if needed and must be private to this user.
    ///
    /// A lock file next to the socket decides who owns the name: while another process holds it, or listens
    /// there without it, this fails with [`ErrorCode::Exists`](crate::ErrorCode::Exists); otherwise a socket
    /// that is there belongs to nobody and is replaced. Both files are removed when the listener is dropped.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn bind(endpoint: &Endpoint) -> Result<Self, Error> {
        ensure_private_dir(endpoint.runtime_dir())?;
        let failed = |error: io::Error| {
            Error::internal(format!(
                "failed to listen at {}: {error}",
                endpoint.socket_path().display()
            ))
        };
        let Some(address) = Address::claim(endpoint).map_err(failed)? else {
            return Err(Error::exists(format!(
                "service {} is already running",
                endpoint.service()
            )));
        };
        address.socket.remove().map_err(failed)?;
        let socket = UnixListener::bind(&address.socket.0).map_err(failed)?;
        Ok(Self {
            socket,
            _address: Some(address),
        })
    }

    /// Serves a socket that somebody else bound and keeps, such as a service manager that starts the service
    /// on its first client.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn from_fd(socket: OwnedFd) -> Result<Self, Error> {
        let listen = || {
            // It had to survive exec to get here; programs started from here must not keep it open.
            rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
            let socket = std::os::unix::net::UnixListener::from(socket);
            socket.set_nonblocking(true)?;
            UnixListener::from_std(socket)
        };
        let socket = listen()
            .map_err(|error| Error::internal(format!("failed to listen on a passed socket: {error}")))?;
        Ok(Self {
            socket,
            _address: None,
        })
    }

    /// Serves the socket that whoever started this process handed down, or else listens at `endpoint`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn inherit(endpoint: &Endpoint) -> Result<Self, Error> {
        match inherited::take() {
            Some(socket) => Self::from_fd(socket),
            None => Self::bind(endpoint),
        }
    }

    /// Removes what a service that was killed left at `endpoint`; leaves a running one alone. True when
    /// nothing is there any more.
    pub fn remove_stale(endpoint: &Endpoint) -> bool {
        if !endpoint.lock_path().exists() && !endpoint.socket_path().exists() {
            return true;
        }
        // The files go when the claim is dropped.
        matches!(Address::claim(endpoint), Ok(Some(_)))
    }
}

impl transport::Listener for Listener {
    type Connection = Connection;

    async fn accept(&mut self) -> io::Result<Connection> {
        let (stream, _) = self.socket.accept().await?;
        Ok(Connection::from(stream))
    }
}

/// The right to a socket's path. Fields are dropped in order: the lock goes last.
#[derive(Debug)]
struct Address {
    socket: SocketFile,
    /// A shared lock on the directory: keeps the system's cleaning of `/tmp` out of it.
    _directory: File,
    _lock: LockFile,
}

impl Address {
    /// Takes the name; `None` while another process has it.
    fn claim(endpoint: &Endpoint) -> io::Result<Option<Self>> {
        let Some(lock) = LockFile::claim(&endpoint.lock_path())? else {
            return Ok(None);
        };
        let socket = endpoint.socket_path();
        if is_live(&socket)? {
            return Ok(None);
        }
        let directory = File::open(endpoint.runtime_dir())?;
        // Only a courtesy: the cleaner itself may hold the lock just now.
        let _ = flock(&directory, FlockOperation::NonBlockingLockShared);
        Ok(Some(Self {
            socket: SocketFile(socket),
            _directory: directory,
            _lock: lock,
        }))
    }
}

/// Whether somebody listens at `path`, such as a service that was given its socket and has no lock.
fn is_live(path: &Path) -> io::Result<bool> {
    let address = SocketAddrUnix::new(path)?;
    let probe = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&probe, true)?;
    match rustix::net::connect(&probe, &address) {
        Ok(()) | Err(Errno::WOULDBLOCK) => Ok(true),
        Err(_) => Ok(false),
    }
}

/// A socket's file, removed when dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl SocketFile {
    fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}
