//! Where a service listens.

use std::path::{Path, PathBuf};

use crate::runtime_dir::file_stem;

/// The address of a service: its name, and the runtime directory of the installation it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    runtime_dir: PathBuf,
    service: String,
}

impl Endpoint {
    /// The service called `service` (for example `com.apple.container.apiserver`, behaviour.md 27.2) of the
    /// installation whose [`runtime_dir`](crate::runtime_dir) this is.
    pub fn new(runtime_dir: &Path, service: &str) -> Self {
        Self {
            runtime_dir: runtime_dir.to_path_buf(),
            service: service.to_owned(),
        }
    }

    /// The service's name, as it appears in messages.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The installation's runtime directory.
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }

    /// The service's socket. Its file name is the service's name, shortened with a hash when it is long.
    pub fn socket_path(&self) -> PathBuf {
        self.file("sock")
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.file("lock")
    }

    fn file(&self, extension: &str) -> PathBuf {
        let mut name = file_stem(&self.service);
        name.push(".");
        name.push(extension);
        self.runtime_dir.join(name)
    }
}
