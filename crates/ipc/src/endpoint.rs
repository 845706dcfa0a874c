//! Where a service listens.

use std::path::{Path, PathBuf};

use crate::runtime_dir::{file_stem, short_hash};

/// The longest name of a mach service, in bytes (`BOOTSTRAP_MAX_NAME_LEN` without the NUL).
const MAX_MACH_NAME: usize = 127;

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

    /// The service's mach service (macOS): its name and sixteen digits that stand for the runtime directory, because
    /// all installations of a user share one name space.
    pub fn mach_name(&self) -> String {
        let instance = short_hash(self.runtime_dir.as_os_str().as_encoded_bytes());
        let name = format!("{}.{instance}", self.service);
        if name.len() <= MAX_MACH_NAME {
            return name;
        }
        format!("{}.{instance}", short_hash(self.service.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mach_services_of_installations_never_meet() {
        let name = |directory: &str, service: &str| Endpoint::new(Path::new(directory), service).mach_name();
        let plain = name("/a/run", "dev.container.apiserver");
        assert!(plain.starts_with("dev.container.apiserver."), "{plain}");
        assert_eq!(plain.len(), "dev.container.apiserver.".len() + 16);
        assert_ne!(plain, name("/b/run", "dev.container.apiserver"));
        let long = "x".repeat(120);
        assert!(name("/a", &long).len() <= MAX_MACH_NAME);
        assert_ne!(name("/a", &long), name("/a", &long.replace('x', "y")));
    }
}
