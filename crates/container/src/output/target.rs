//! Files that commands write archives to.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::Failure;

/// Where an archive goes.
#[derive(Debug)]
pub(crate) enum Target<'a> {
    /// Standard output.
    Standard,
    /// A device, a pipe, or anything else that cannot be replaced.
    Special(File),
    /// A file, which appears under its name when it is complete.
    File(NamedTempFile, &'a Path),
}

impl<'a> Target<'a> {
    /// Opens what `path` names; standard output without one.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn open(path: Option<&'a str>) -> Result<Self, Failure> {
        let Some(path) = path.map(Path::new) else {
            return Ok(Self::Standard);
        };
        let opened = match path.metadata() {
            Ok(metadata) if !metadata.is_file() => File::options().write(true).open(path).map(Self::Special),
            _ => temporary(path).map(|file| Self::File(file, path)),
        };
        opened.map_err(|error| failure(path, &error))
    }

    /// What the archive is written to.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn descriptor(&self) -> Result<OwnedFd, Failure> {
        let descriptor = match self {
            Self::Standard => io::stdout().as_fd().try_clone_to_owned(),
            Self::Special(file) => file.as_fd().try_clone_to_owned(),
            Self::File(file, _) => file.as_file().as_fd().try_clone_to_owned(),
        };
        descriptor.map_err(|error| Failure::error(error.to_string()))
    }

    /// The archive is complete.
    ///
    /// # Errors
    /// The file cannot get its name.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        match self {
            Self::File(file, path) => file
                .persist(path)
                .map(drop)
                .map_err(|error| failure(path, &error.error)),
            Self::Standard | Self::Special(_) => Ok(()),
        }
    }
}

/// A file beside `path`, with the mode that a new file gets.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    let directory = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".container-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("failed to write {}: {error}", path.display()))
}
