//! Volumes: which there are, and which container uses them (behaviour reference, section 18).

mod claims;
mod options;
mod store;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use container_client::api::VolumeCreateRequest;
use container_ipc::Error;
use container_resource::name::{VOLUME_NAME_PATTERN, is_volume_name};
use container_resource::{DiskUsage, Filesystem, Volume, VolumeConfiguration, time};

use self::claims::Claims;
use self::options::VolumeOptions;
use crate::allocated;
use crate::whole;
use crate::work::blocking;

/// The directory below the application root that holds the volumes.
const DIRECTORY: &str = "volumes";

/// The volumes of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Volumes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    volumes: BTreeMap<String, VolumeConfiguration>,
    /// Names of volumes that are being created.
    reserved: Vec<String>,
    /// How many containers are being created that use a volume.
    expected: BTreeMap<String, usize>,
    claims: Claims,
}

impl Volumes {
    /// The volumes below `app_root`. What a crash left behind is removed; what cannot be read is left alone. Blocks.
    ///
    /// # Errors
    /// The directory cannot be created or read.
    pub(crate) fn open(app_root: &Path) -> io::Result<Self> {
        let directory = app_root.join(DIRECTORY);
        let volumes = store::load(&directory)?;
        let table = Table {
            volumes: volumes
                .into_iter()
                .map(|volume| (volume.name.clone(), volume))
                .collect(),
            ..Table::default()
        };
        Ok(Self(Arc::new(Shared {
            directory,
            table: Mutex::new(table),
        })))
    }

    /// Makes a volume.
    ///
    /// # Errors
    /// The name is taken or no name, an option is wrong, or the disk cannot be written; nothing is left behind.
    pub(crate) async fn create(&self, request: VolumeCreateRequest) -> Result<Volume, Error> {
        let name = request.volume_name;
        if !is_volume_name(&name) {
            let text = format!("invalid volume name '{name}': must match {VOLUME_NAME_PATTERN}");
            return Err(Error::invalid_argument(text));
        }
        let options = VolumeOptions::parse(&request.volume_driver_opts)?;
        let configuration = VolumeConfiguration {
            source: store::source(&self.0.directory, &name, options.format())
                .display()
                .to_string(),
            driver: "local".to_owned(),
            format: options.format().to_owned(),
            creation_date: time::now(),
            labels: request.volume_labels,
            options: request.volume_driver_opts,
            size_in_bytes: options.size(),
            name,
        };
        let reservation = self.reserve(&configuration.name)?;
        let directory = self.0.directory.clone();
        let written = configuration.clone();
        blocking(move || store::write(&directory, &written, &options)).await?;
        let mut table = self.table();
        table
            .volumes
            .insert(configuration.name.clone(), configuration.clone());
        drop(table);
        drop(reservation);
        tracing::info!(name = configuration.name, "created volume");
        Ok(Volume::new(configuration))
    }

    /// Every volume, ordered by name.
    pub(crate) fn list(&self) -> Vec<Volume> {
        self.table().volumes.values().cloned().map(Volume::new).collect()
    }

    /// The volume `name`.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn inspect(&self, name: &str) -> Result<Volume, Error> {
        let found = self.table().volumes.get(name).cloned();
        found.map(Volume::new).ok_or_else(|| not_found(name))
    }

    /// The allocated bytes of the volume `name`.
    ///
    /// # Errors
    /// There is none.
    pub(crate) async fn allocated(&self, name: &str) -> Result<u64, Error> {
        let volume = self.inspect(name)?;
        blocking(move || {
            allocated::at(Path::new(&volume.configuration.source))
                .map_err(|error| Error::internal(format!("failed to read volume '{}': {error}", volume.id)))
        })
        .await
    }

    /// Deletes the volume `name` unless a container, running or not, uses it, as `used` tells.
    ///
    /// # Errors
    /// There is none, it is in use, or it cannot be removed.
    pub(crate) async fn delete(&self, name: &str, used: impl Fn(&str) -> bool) -> Result<(), Error> {
        let removed = {
            let mut table = self.table();
            if !table.volumes.contains_key(name) {
                return Err(not_found(name));
            }
            // The table is locked, so that no container can begin to use it meanwhile.
            if table.expected.contains_key(name) || used(name) {
                return Err(Error::invalid_argument(format!(
                    "volume '{name}' is currently in use and cannot be accessed by another container, or deleted"
                )));
            }
            let removed = whole::take_name(&self.0.directory.join(name));
            let removed = removed
                .map_err(|error| Error::internal(format!("failed to delete volume '{name}': {error}")))?;
            table.volumes.remove(name);
            removed
        };
        blocking(move || {
            whole::remove(&removed);
            Ok(())
        })
        .await?;
        tracing::info!(name, "deleted volume");
        Ok(())
    }

    /// What volumes take; `used` tells which of them a container uses.
    ///
    /// # Errors
    /// A disk cannot be read.
    pub(crate) fn disk_usage(&self, used: impl Fn(&str) -> bool) -> Result<DiskUsage, Error> {
        let mut usage = DiskUsage::default();
        for volume in self.list() {
            let size = match allocated::at(Path::new(&volume.configuration.source)) {
                // Deleted meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                size => size.map_err(|error| {
                    Error::internal(format!("failed to read volume '{}': {error}", volume.id))
                })?,
            };
            usage.total += 1;
            usage.size_in_bytes += size;
            if used(&volume.id) {
                usage.active += 1;
            } else {
                usage.reclaimable += size;
            }
        }
        Ok(usage)
    }

    /// Keeps the volumes of `mounts` from being deleted while a container is created that uses them.
    ///
    /// # Errors
    /// A volume is not there.
    pub(crate) fn expect(&self, mounts: &[Filesystem]) -> Result<Expectation<'_>, Error> {
        let names: Vec<String> = mounts
            .iter()
            .filter_map(Filesystem::volume_name)
            .map(str::to_owned)
            .collect();
        let mut table = self.table();
        if let Some(missing) = names.iter().find(|name| !table.volumes.contains_key(*name)) {
            return Err(not_found(missing));
        }
        for name in &names {
            *table.expected.entry(name.clone()).or_default() += 1;
        }
        drop(table);
        Ok(Expectation { volumes: self, names })
    }

    /// Gives the container `id` its volumes for as long as it runs.
    ///
    /// # Errors
    /// A running container writes to one of them, or this one would write to what another reads.
    pub(crate) fn claim(&self, id: &str, mounts: &[Filesystem]) -> Result<(), Error> {
        self.table().claims.add(id, mounts)
    }

    /// The container `id` has ended.
    pub(crate) fn release(&self, id: &str) {
        self.table().claims.remove(id);
    }

    fn reserve(&self, name: &str) -> Result<Reservation<'_>, Error> {
        let mut table = self.table();
        if table.volumes.contains_key(name) || table.reserved.iter().any(|reserved| reserved == name) {
            return Err(Error::invalid_argument(format!("volume '{name}' already exists")));
        }
        table.reserved.push(name.to_owned());
        Ok(Reservation {
            volumes: self,
            name: name.to_owned(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name that is taken while its volume is made.
#[derive(Debug)]
struct Reservation<'a> {
    volumes: &'a Volumes,
    name: String,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.volumes.table().reserved.retain(|name| *name != self.name);
    }
}

/// Volumes that a container is going to use.
#[derive(Debug)]
pub(crate) struct Expectation<'a> {
    volumes: &'a Volumes,
    names: Vec<String>,
}

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        let mut table = self.volumes.table();
        for name in &self.names {
            if let Some(count) = table.expected.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    table.expected.remove(name);
                }
            }
        }
    }
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("volume '{name}' not found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, options: &[(&str, &str)]) -> VolumeCreateRequest {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        VolumeCreateRequest {
            volume_name: name.to_owned(),
            volume_driver_opts: options.iter().map(pair).collect(),
            volume_labels: BTreeMap::new(),
        }
    }

    #[tokio::test]
    async fn volumes_are_found_again() {
        let root = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(root.path()).unwrap();
        let made = volumes.create(request("data", &[("size", "1g")])).await.unwrap();
        assert_eq!(made.configuration.size_in_bytes, Some(1 << 30));
        assert!(volumes.allocated("data").await.unwrap() < 4 << 20);
        let again = volumes.create(request("data", &[])).await.unwrap_err();
        assert_eq!(again.to_string(), "volume 'data' already exists");
        drop(volumes);

        let volumes = Volumes::open(root.path()).unwrap();
        assert_eq!(volumes.list(), [made]);
        let refused = volumes.delete("data", |_| true).await.unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("volume 'data' is currently in use")
        );
        volumes.delete("data", |_| false).await.unwrap();
        assert_eq!(
            volumes.inspect("data").unwrap_err().to_string(),
            "volume 'data' not found"
        );
        assert_eq!(std::fs::read_dir(root.path().join(DIRECTORY)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_failed_creation_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(root.path()).unwrap();
        for (name, options) in [
            ("../x", &[][..]),
            ("", &[]),
            ("v", &[("size", "1k")]),
            ("v", &[("journal", "x")]),
        ] {
            assert!(volumes.create(request(name, options)).await.is_err(), "{name}");
        }
        assert_eq!(std::fs::read_dir(root.path().join(DIRECTORY)).unwrap().count(), 0);
        assert!(volumes.create(request("v", &[])).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_new_container_expects_stays() {
        let root = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(root.path()).unwrap();
        let volume = volumes.create(request("v", &[])).await.unwrap();
        let mounts = [Filesystem::volume(&volume, "/data", vec![])];
        let expectation = volumes.expect(&mounts).unwrap();
        assert!(volumes.delete("v", |_| false).await.is_err());
        drop(expectation);
        volumes.delete("v", |_| false).await.unwrap();
        assert!(volumes.expect(&mounts).is_err());
    }
}
