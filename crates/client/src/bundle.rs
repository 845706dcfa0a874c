//! A container's bundle: the directory `<app root>/containers/<id>` that the API server makes and the container's
//! runtime helper works in.
//!
//! Whoever creates a container writes the configuration, the kernel and the two read-only disks; the helper adds the
//! scratch disk at the first start, the logs at every start, and how the container ended.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use container_resource::time::Timestamp;
use container_resource::{ContainerConfiguration, ContainerOptions, ExitStatus, Kernel};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The directory below the application root that holds the bundles.
pub const CONTAINERS_DIRECTORY: &str = "containers";

/// What was asked for: a [`BundleConfiguration`] as JSON.
pub const CONFIGURATION_FILE: &str = "config.json";
/// The kernel image.
pub const KERNEL_FILE: &str = "kernel";
/// The init image's disk, EROFS, read-only.
pub const INIT_DISK_FILE: &str = "initfs.erofs";
/// The container image's disk, EROFS, read-only.
pub const ROOT_DISK_FILE: &str = "rootfs.erofs";
/// The disk with the container's own changes, ext4; made by the helper at the first start.
pub const SCRATCH_DISK_FILE: &str = "scratch.ext4";
/// The init process's output: a directory of files, see [`stdio_log`](crate::stdio_log). A start by the user begins anew.
pub const STDIO_LOG_DIRECTORY: &str = "stdio";
/// The virtual machine's console; appended to at every start, unless it has become long.
pub const BOOT_LOG_FILE: &str = "vminitd.log";
/// When the init process last started: a [`StartRecord`] as JSON.
pub const START_FILE: &str = "start.json";
/// How the container last ended: an [`ExitStatus`] as JSON. Removed before every start, so that it always tells the
/// end of the last one.
pub const EXIT_FILE: &str = "exit.json";

/// There when the user stopped the container: its restart policy rests until it is started.
pub const HELD_FILE: &str = "held";

/// Everything a runtime helper has to know about its container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleConfiguration {
    /// What the container is.
    pub configuration: ContainerConfiguration,
    /// What happens around its life.
    #[serde(default)]
    pub options: ContainerOptions,
    /// The kernel as it was chosen. The image to boot is the bundle's own copy, not `kernel.path`.
    pub kernel: Kernel,
}

/// When a container last started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartRecord {
    /// When its init process started.
    pub started_date: Timestamp,
}

/// The paths in one bundle, and its small files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    path: PathBuf,
}

impl Bundle {
    /// The bundle in the directory `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The bundle of the container `id`. The id must be a valid container id, because it becomes a path.
    pub fn of_container(app_root: &Path, id: &str) -> Self {
        Self::new(app_root.join(CONTAINERS_DIRECTORY).join(id))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kernel image.
    pub fn kernel(&self) -> PathBuf {
        self.path.join(KERNEL_FILE)
    }

    /// The init image's disk.
    pub fn init_disk(&self) -> PathBuf {
        self.path.join(INIT_DISK_FILE)
    }

    /// The container image's disk.
    pub fn root_disk(&self) -> PathBuf {
        self.path.join(ROOT_DISK_FILE)
    }

    /// The disk with the container's own changes.
    pub fn scratch_disk(&self) -> PathBuf {
        self.path.join(SCRATCH_DISK_FILE)
    }

    /// The directory of the init process's output.
    pub fn stdio_log(&self) -> PathBuf {
        self.path.join(STDIO_LOG_DIRECTORY)
    }

    /// The virtual machine's console.
    pub fn boot_log(&self) -> PathBuf {
        self.path.join(BOOT_LOG_FILE)
    }

    /// Empties the virtual machine's console log when it is longer than `limit` bytes.
    ///
    /// # Errors
    /// The file cannot be emptied. A missing one is fine.
    pub fn bound_boot_log(&self, limit: u64) -> io::Result<()> {
        let path = self.boot_log();
        match fs::metadata(&path) {
            Ok(log) if log.len() > limit => File::options().write(true).truncate(true).open(path).map(|_| ()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Reads what was asked for.
    ///
    /// # Errors
    /// The file is missing, unreadable, or not a configuration (`InvalidData`).
    pub fn load_configuration(&self) -> io::Result<BundleConfiguration> {
        self.load(CONFIGURATION_FILE)?
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no {CONFIGURATION_FILE}")))
    }

    /// Stores what was asked for.
    ///
    /// # Errors
    /// The file cannot be written; an earlier one is untouched.
    pub fn store_configuration(&self, configuration: &BundleConfiguration) -> io::Result<()> {
        self.store(CONFIGURATION_FILE, configuration, true)
    }

    /// Reads when the container last started; `None` when it never did.
    ///
    /// # Errors
    /// The file is unreadable or not a record (`InvalidData`).
    pub fn load_start(&self) -> io::Result<Option<StartRecord>> {
        self.load(START_FILE)
    }

    /// Stores when the container started.
    ///
    /// # Errors
    /// The file cannot be written; an earlier one is untouched.
    pub fn store_start(&self, record: StartRecord) -> io::Result<()> {
        self.store(START_FILE, &record, false)
    }

    /// Reads how the container ended; `None` when it has not since it was last started.
    ///
    /// # Errors
    /// The file is unreadable or not an exit status (`InvalidData`).
    pub fn load_exit(&self) -> io::Result<Option<ExitStatus>> {
        self.load(EXIT_FILE)
    }

    /// Stores how the container ended.
    ///
    /// # Errors
    /// The file cannot be written; an earlier one is untouched.
    pub fn store_exit(&self, status: ExitStatus) -> io::Result<()> {
        self.store(EXIT_FILE, &status, false)
    }

    /// Forgets how the container ended, because it starts again.
    ///
    /// # Errors
    /// The file cannot be removed. A missing one is fine.
    pub fn clear_exit(&self) -> io::Result<()> {
        self.remove(EXIT_FILE)
    }

    /// Remembers that the user stopped the container.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn hold(&self) -> io::Result<()> {
        File::create(self.path.join(HELD_FILE)).map(|_| ())
    }

    /// Forgets that the user stopped the container.
    ///
    /// # Errors
    /// The file cannot be removed. A missing one is fine.
    pub fn release(&self) -> io::Result<()> {
        self.remove(HELD_FILE)
    }

    /// Whether the user stopped the container.
    pub fn is_held(&self) -> bool {
        self.path.join(HELD_FILE).exists()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let bytes = match fs::read(self.path.join(name)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {error}")))?;
        Ok(Some(value))
    }

    /// Replaces a file in one step. Only what must be whole after a loss of power is worth the time that takes: after
    /// such a loss every container has ended whatever a record says.
    fn store<T: Serialize>(&self, name: &str, value: &T, durable: bool) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
        let temporary = self.path.join(format!(".{name}.{}", std::process::id()));
        let write = || {
            let mut file = File::create(&temporary)?;
            file.write_all(&text)?;
            if durable {
                file.sync_all()?;
            }
            fs::rename(&temporary, self.path.join(name))
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }
}

#[cfg(test)]
mod tests {
    use container_resource::time::now;

    use super::*;

    #[test]
    fn an_exit_is_stored_read_and_forgotten() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let bundle = Bundle::new(directory.path());
        assert_eq!(bundle.load_exit()?, None);
        bundle.clear_exit()?;
        let status = ExitStatus {
            exit_code: 137,
            exited_at: now(),
        };
        bundle.store_exit(ExitStatus {
            exit_code: 1,
            ..status
        })?;
        bundle.store_exit(status)?;
        assert_eq!(bundle.load_exit()?, Some(status));
        assert_eq!(
            fs::read_dir(directory.path())?.count(),
            1,
            "no temporary file stays"
        );
        bundle.clear_exit()?;
        assert_eq!(bundle.load_exit()?, None);
        Ok(())
    }

    #[test]
    fn the_boot_log_is_bounded() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let bundle = Bundle::new(directory.path());
        bundle.bound_boot_log(3)?;
        fs::write(bundle.boot_log(), "abc")?;
        bundle.bound_boot_log(3)?;
        assert_eq!(fs::read(bundle.boot_log())?, b"abc");
        bundle.bound_boot_log(2)?;
        assert_eq!(fs::read(bundle.boot_log())?, b"");
        Ok(())
    }

    #[test]
    fn damaged_files_are_told_from_missing_ones() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let bundle = Bundle::new(directory.path());
        let kind = |bundle: &Bundle| bundle.load_configuration().err().map(|error| error.kind());
        assert_eq!(kind(&bundle), Some(io::ErrorKind::NotFound));
        fs::write(directory.path().join(CONFIGURATION_FILE), "{\"configuration\":")?;
        assert_eq!(kind(&bundle), Some(io::ErrorKind::InvalidData));
        Ok(())
    }

    #[test]
    fn a_failed_store_leaves_nothing_behind() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let bundle = Bundle::new(directory.path());
        fs::create_dir(directory.path().join(START_FILE))?;
        assert!(bundle.store_start(StartRecord { started_date: now() }).is_err());
        assert_eq!(fs::read_dir(directory.path())?.count(), 1);
        Ok(())
    }
}
