//! Helpers as detached processes, which get their socket from here.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::{fs, io};

use container_ipc::{Endpoint, Error};
use container_service_manager::{Activated, Job, LISTENER_VARIABLE, ServiceManager};

use super::failure;

/// Starts `job`. With an endpoint it is given a socket that listens there already.
pub(super) async fn start(
    manager: &ServiceManager,
    _runtime_directory: &Path,
    mut job: Job,
    endpoint: Option<&Endpoint>,
) -> Result<i32, Error> {
    let started = match endpoint {
        None => manager.start(&job).await,
        Some(endpoint) => {
            let socket = listen(endpoint).map_err(|error| {
                Error::internal(format!(
                    "failed to listen at {}: {error}",
                    endpoint.socket_path().display()
                ))
            })?;
            job.environment
                .insert(LISTENER_VARIABLE.to_owned(), "1".to_owned());
            manager.start_with(&Activated::new(socket), &job).await
        }
    };
    started.map_err(|error| failure(&error))
}

/// Nothing is left of a process that has ended.
pub(super) async fn forget(_runtime_directory: &Path, _label: &str) {}

/// A socket that listens at `endpoint` in place of whatever was there. Only one server of an installation runs, and it
/// alone makes these.
fn listen(endpoint: &Endpoint) -> io::Result<OwnedFd> {
    let path = endpoint.socket_path();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok(UnixListener::bind(path)?.into())
}
