//! The directory of installed kernels, and the links that name the defaults.
//!
//! A kernel appears under its name when it is complete, and is never written to afterwards: bundles share its blocks.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_ipc::Error;
use container_resource::name::random_id;

/// Beginning of the name of the link to an architecture's default kernel.
const DEFAULT: &str = "default.kernel-";
/// Beginning of the name of a file that is not complete.
const TEMPORARY: &str = ".install-";

/// The directory.
#[derive(Debug)]
pub(super) struct Store {
    directory: PathBuf,
}

/// A file that is removed again unless it gets a name. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Temporary(Arc<Removed>);

#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Temporary {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0.0
    }

    /// Copies a kernel into it.
    ///
    /// # Errors
    /// There is no file at `source`, or it cannot be copied.
    pub(super) fn fill_from(&self, source: &Path) -> Result<(), Error> {
        if !source.is_file() {
            return Err(Error::not_found(format!(
                "kernel not found at {}",
                source.display()
            )));
        }
        crate::copy::duplicate(source, self.path())
            .map_err(|error| Error::internal(format!("failed to copy the kernel: {error}")))
    }
}

impl Store {
    /// The store in `directory`, which is created if need be. Removes what a crash left behind.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    pub(super) fn open(directory: PathBuf) -> Result<Self, Error> {
        let open = || -> io::Result<()> {
            fs::create_dir_all(&directory)?;
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        open()
            .map_err(|error| Error::internal(format!("failed to open {}: {error}", directory.display())))?;
        // What is stored must compare with what is asked for, links in the application root's path included.
        let directory = directory.canonicalize().unwrap_or(directory);
        Ok(Self { directory })
    }

    /// A name for a file that does not exist yet.
    pub(super) fn temporary(&self) -> Temporary {
        Temporary(Arc::new(Removed(
            self.directory.join(format!("{TEMPORARY}{}", random_id())),
        )))
    }

    /// Refuses a name that is taken, before time is spent on a download.
    ///
    /// # Errors
    /// There is a kernel of that name and it is not to be replaced.
    pub(super) fn check_free(&self, name: &str, force: bool) -> Result<(), Error> {
        if !force && self.directory.join(name).exists() {
            return Err(self.taken(name));
        }
        Ok(())
    }

    /// Gives a complete kernel its name.
    ///
    /// # Errors
    /// There is one of that name and it is not to be replaced, or the disk does not take it.
    pub(super) fn place(&self, kernel: &Temporary, name: &str, force: bool) -> Result<(), Error> {
        let target = self.directory.join(name);
        let place = || {
            let file = File::open(kernel.path())?;
            file.set_permissions(fs::Permissions::from_mode(0o644))?;
            file.sync_all()?;
            if force {
                fs::rename(kernel.path(), &target)?;
            } else {
                // Unlike a rename this never replaces anything.
                fs::hard_link(kernel.path(), &target)?;
            }
            self.sync()
        };
        place().map_err(|error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.taken(name),
            _ => Error::internal(format!(
                "failed to install the kernel at {}: {error}",
                target.display()
            )),
        })
    }

    /// Makes the installed kernel `name` the default of `architecture`.
    ///
    /// # Errors
    /// The link cannot be made.
    pub(super) fn set_default(&self, name: &str, architecture: &str) -> Result<(), Error> {
        let new = self.temporary();
        let link = || {
            symlink(name, new.path())?;
            fs::rename(new.path(), self.link(architecture))?;
            self.sync()
        };
        link().map_err(|error| Error::internal(format!("failed to set the default kernel: {error}")))
    }

    /// The default kernel of `architecture`.
    ///
    /// # Errors
    /// None is installed.
    pub(super) fn default(&self, architecture: &str) -> Result<PathBuf, Error> {
        check_architecture(architecture)?;
        let link = self.link(architecture);
        let target = link.canonicalize().ok().filter(|target| target.is_file());
        target.ok_or_else(|| {
            let path = fs::read_link(&link).map_or(link, |target| self.directory.join(target));
            Error::not_found(format!("default kernel not found at {}", path.display()))
        })
    }

    fn link(&self, architecture: &str) -> PathBuf {
        self.directory.join(format!("{DEFAULT}{architecture}"))
    }

    fn taken(&self, name: &str) -> Error {
        let path = self.directory.join(name);
        Error::exists(format!(
            "kernel {} already exists, use --force to replace it",
            path.display()
        ))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }
}

/// The name under which the kernel at `path` is installed.
///
/// # Errors
/// The path does not end in a file name, or in one that means something else here.
pub(super) fn file_name(path: &str) -> Result<String, Error> {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    let name =
        name.filter(|name| !name.starts_with(DEFAULT) && !name.starts_with('.') && !path.ends_with('/'));
    name.map(str::to_owned)
        .ok_or_else(|| Error::invalid_argument(format!("'{path}' is not the name of a kernel")))
}

/// Architectures become part of a file name.
///
/// # Errors
/// `unsupported architecture <a>`.
pub(super) fn check_architecture(architecture: &str) -> Result<(), Error> {
    match architecture {
        "arm64" | "amd64" => Ok(()),
        other => Err(Error::invalid_argument(format!(
            "unsupported architecture {other}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn install(store: &Store, source: &Path, name: &str, force: bool) -> Result<(), Error> {
        let kernel = store.temporary();
        kernel.fill_from(source)?;
        store.place(&kernel, name, force)
    }

    #[test]
    fn a_kernel_is_installed_once_and_replaced_by_force() -> TestResult {
        let directory = tempfile::tempdir()?;
        let source = directory.path().join("vmlinux");
        let store = Store::open(directory.path().join("kernels"))?;
        fs::write(&source, "one")?;
        install(&store, &source, "vmlinux", false)?;
        store.set_default("vmlinux", "amd64")?;
        let installed = store.default("amd64")?;
        assert_eq!(fs::read_to_string(&installed)?, "one");
        assert!(store.default("arm64").is_err());

        let bundle = directory.path().join("bundle");
        crate::copy::link(&installed, &bundle)?;
        fs::write(&source, "two")?;
        let error = install(&store, &source, "vmlinux", false).map_err(|error| error.code);
        assert_eq!(error, Err(container_ipc::ErrorCode::Exists));
        install(&store, &source, "vmlinux", true)?;
        assert_eq!(fs::read_to_string(store.default("amd64")?)?, "two");
        assert_eq!(
            fs::read_to_string(&bundle)?,
            "one",
            "what a bundle boots does not change"
        );
        let names = fs::read_dir(directory.path().join("kernels"))?.count();
        assert_eq!(names, 2, "no temporary file stays");
        Ok(())
    }

    #[test]
    fn what_a_crash_left_is_removed() -> TestResult {
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join(".install-1"), "half")?;
        fs::write(directory.path().join("vmlinux"), "whole")?;
        Store::open(directory.path().into())?;
        assert_eq!(fs::read_dir(directory.path())?.count(), 1);
        Ok(())
    }

    #[test]
    fn missing_kernels_are_named() -> TestResult {
        let directory = tempfile::tempdir()?;
        let store = Store::open(directory.path().canonicalize()?.join("kernels"))?;
        let text = |result: Result<(), Error>| result.err().map(|error| error.to_string());
        assert_eq!(
            text(store.temporary().fill_from(Path::new("/nonexistent"))).as_deref(),
            Some("kernel not found at /nonexistent")
        );
        store.set_default("gone", "amd64")?;
        let error = text(store.default("amd64").map(|_| ()));
        let expected = format!(
            "default kernel not found at {}",
            store.directory.join("gone").display()
        );
        assert_eq!(error, Some(expected));
        Ok(())
    }

    #[test]
    fn names_are_file_names() {
        assert_eq!(file_name("/boot/vmlinux-6").ok().as_deref(), Some("vmlinux-6"));
        for path in [
            "",
            "/",
            "..",
            "a/..",
            "dir/",
            "/x/default.kernel-amd64",
            "/x/.install-1",
        ] {
            assert!(file_name(path).is_err(), "{path}");
        }
        assert!(check_architecture("../x").is_err());
    }
}
