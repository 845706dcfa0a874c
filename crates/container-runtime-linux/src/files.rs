//! A container's files for those outside: copies and archives of them (behaviour reference, 14.2 and 14.3).
//!
//! The files of a running container are what its init process sees. Those of a stopped one are reached by booting its
//! machine without any process: nothing of the container runs, and the machine ends with the one request it was
//! booted for.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use container_client::api::{ContainerCopyInRequest, ContainerCopyOutRequest};
use container_ipc::{Error, ErrorCode};
use container_sandbox::proto::copy_request::Direction;
use container_sandbox::proto::{CopyRequest, StatRequest};

use crate::error::exit;
use crate::process::{Guest, limited};
use crate::service::Runtime;
use crate::{guest, machine, transfer};

/// Directories in the guest from which paths of the container are resolved.
#[derive(Debug)]
pub(crate) struct Files {
    /// The guest.
    pub guest: Guest,
    /// The container's own view of its files, mounts included.
    root: String,
    /// Whether the machine is there for this alone.
    pub offline: bool,
}

impl Runtime {
    /// Makes the files of a tar archive in the container.
    ///
    /// # Errors
    /// The destination does not go with the source, the archive is none, or a file cannot be made.
    pub async fn copy_in(
        self: &Arc<Self>,
        request: ContainerCopyInRequest,
        input: OwnedFd,
    ) -> Result<(), Error> {
        let files = self.open_files(true).await?;
        let copied = self.unless_stopped(copy_in(&files, request, input)).await;
        self.close_files(files).await;
        copied
    }

    /// Writes a tar archive of a file or tree of the container.
    ///
    /// # Errors
    /// There is no such path, or the output cannot be written.
    pub async fn copy_out(
        self: &Arc<Self>,
        request: ContainerCopyOutRequest,
        output: OwnedFd,
    ) -> Result<(), Error> {
        let files = self.open_files(true).await?;
        let request = CopyRequest {
            path: request.source_path,
            root: files.root.clone(),
            name: request.name,
            ..CopyRequest::default()
        };
        let copied = self.unless_stopped(copy_out(&files.guest, request, output)).await;
        self.close_files(files).await;
        copied
    }

    /// Writes a tar archive of the container's root file system without what is mounted in it. A running container's
    /// processes stand still meanwhile.
    ///
    /// # Errors
    /// The output cannot be written.
    pub async fn export(self: &Arc<Self>, output: OwnedFd) -> Result<(), Error> {
        let files = self.open_files(false).await?;
        let request = CopyRequest {
            path: "/".to_owned(),
            root: guest::root_path(self.id()),
            one_file_system: true,
            ..CopyRequest::default()
        };
        let turn = self.freezing.lock().await;
        let freeze = !files.offline && !self.is_frozen();
        let exported = async {
            if freeze {
                guest::freeze(&files.guest.agent, self.id(), true).await?;
            }
            copy_out(&files.guest, request, output).await
        };
        let exported = self.unless_stopped(exported).await;
        if freeze && let Err(error) = guest::freeze(&files.guest.agent, self.id(), false).await {
            tracing::warn!(%error, "failed to let the container's processes go on");
        }
        drop(turn);
        self.close_files(files).await;
        exported
    }

    /// The container's files; with `mounted`, volumes and the host's directories are among them.
    ///
    /// # Errors
    /// The machine does not come up, or is just starting or ending.
    pub(crate) async fn open_files(self: &Arc<Self>, mounted: bool) -> Result<Files, Error> {
        if let Some((guest, init)) = self.guest_or_offline()? {
            let root = match init {
                Some(pid) => format!("/proc/{pid}/root"),
                None => guest::root_path(self.id()),
            };
            return Ok(Files {
                guest,
                root,
                offline: false,
            });
        }
        let booted = machine::boot_offline(&self.bundle, &self.container, mounted);
        match self.unless_stopped(booted).await {
            Ok(guest) => Ok(Files {
                guest,
                root: guest::root_path(self.id()),
                offline: true,
            }),
            Err(error) => {
                self.over(exit(0));
                Err(error)
            }
        }
    }

    /// Ends the machine of a stopped container, its disks complete.
    pub(crate) async fn close_files(&self, files: Files) {
        if files.offline {
            machine::end_offline(&files.guest, &self.container.configuration).await;
            self.over(exit(0));
        }
    }

    /// Does `work` unless somebody wants the machine to end before that is done.
    pub(crate) async fn unless_stopped<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            done = work => done,
            () = self.power_off.cancelled() => {
                Err(Error::new(ErrorCode::Interrupted, "the virtual machine was stopped"))
            }
        }
    }
}

async fn copy_in(files: &Files, request: ContainerCopyInRequest, input: OwnedFd) -> Result<(), Error> {
    let stat = StatRequest {
        path: request.destination_path.clone(),
        root: files.root.clone(),
    };
    let found = limited(files.guest.agent.stat(stat)).await?;
    let existing = found.stat.map(|stat| stat.mode & TYPE_BITS == DIRECTORY_TYPE);
    let (path, strip) = destination(&request, existing)?;
    let port = files.guest.listen()?;
    let copy = CopyRequest {
        direction: Direction::CopyIn.into(),
        path,
        root: files.root.clone(),
        vsock_port: port.number,
        is_tree: true,
        strip,
        ..CopyRequest::default()
    };
    transfer::alongside(finished(&files.guest, copy), transfer::send(port, input))
        .await
        .map(drop)
}

/// Bits of a mode that tell what kind of file it is.
const TYPE_BITS: u32 = 0o170_000;
const DIRECTORY_TYPE: u32 = 0o040_000;

/// Where the archive's files go, and how many components their names lose. `existing`: whether what is at the destination
/// is a directory, if there is anything.
fn destination(request: &ContainerCopyInRequest, existing: Option<bool>) -> Result<(String, u32), Error> {
    let path = &request.destination_path;
    let refuse = |text: String| Err(Error::invalid_argument(text));
    let missing = || refuse(format!("destination directory does not exist: {path}"));
    match (&request.source_name, existing) {
        (None, Some(true)) => Ok((path.clone(), 0)),
        (None, _) => missing(),
        (Some(name), Some(true)) => Ok((format!("{}/{name}", path.trim_end_matches('/')), 1)),
        (Some(_), Some(false)) if request.source_is_directory => {
            refuse(format!("cannot copy directory over existing file: {path}"))
        }
        (Some(_), Some(false)) if path.ends_with('/') => {
            refuse(format!("destination is not a directory: {path}"))
        }
        (Some(_), None) if path.ends_with('/') && !request.source_is_directory => missing(),
        (Some(_), _) => Ok((path.trim_end_matches('/').to_owned(), 1)),
    }
}

async fn copy_out(guest: &Guest, request: CopyRequest, output: OwnedFd) -> Result<(), Error> {
    let port = guest.listen()?;
    let copy = CopyRequest {
        direction: Direction::CopyOut.into(),
        vsock_port: port.number,
        is_tree: true,
        ..request
    };
    transfer::alongside(finished(guest, copy), transfer::receive(port, output)).await
}

async fn finished(guest: &Guest, request: CopyRequest) -> Result<(), Error> {
    let mut progress = guest.agent.copy(request).await?;
    while progress.next().await?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations() {
        let to = |path: &str, source: Option<&str>, directory: bool, existing: Option<bool>| {
            let request = ContainerCopyInRequest {
                id: "web".to_owned(),
                destination_path: path.to_owned(),
                source_name: source.map(str::to_owned),
                source_is_directory: directory,
            };
            destination(&request, existing).map_err(|error| error.message)
        };
        let at = |path: &str, strip| Ok((path.to_owned(), strip));
        assert_eq!(to("/d", Some("s"), false, Some(true)), at("/d/s", 1));
        assert_eq!(to("/", Some("s"), true, Some(true)), at("/s", 1));
        assert_eq!(to("/d/new", Some("s"), false, None), at("/d/new", 1));
        assert_eq!(to("/d/new/", Some("s"), true, None), at("/d/new", 1));
        assert_eq!(to("/d/file", Some("s"), false, Some(false)), at("/d/file", 1));
        assert_eq!(to("/d", None, true, Some(true)), at("/d", 0));
        for (path, source, directory, existing, text) in [
            (
                "/f",
                Some("s"),
                true,
                Some(false),
                "cannot copy directory over existing file: /f",
            ),
            (
                "/n/",
                Some("s"),
                false,
                None,
                "destination directory does not exist: /n/",
            ),
            ("/n", None, true, None, "destination directory does not exist: /n"),
        ] {
            assert_eq!(to(path, source, directory, existing), Err(text.to_owned()));
        }
    }
}
