//! How much of the disk containers take (behaviour reference, 23.3).

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use container_ipc::Error;
use container_resource::{DiskUsage, DiskUsageStats};

use super::Containers;
use super::container::Container;
use crate::allocated;
use crate::work::blocking;

impl Containers {
    /// The allocated bytes that deleting the container frees. Disks that are still an image's, or another container's,
    /// are not among them.
    ///
    /// # Errors
    /// The container is not known, or its bundle cannot be read.
    pub(crate) async fn disk_usage(&self, id: &str) -> Result<u64, Error> {
        let container = self.find(id)?;
        blocking(move || {
            let mut usage = Usage::default();
            usage.add_bundle(&container)?;
            Ok(usage.bytes())
        })
        .await
    }

    /// What everything takes.
    ///
    /// # Errors
    /// A bundle cannot be read, or the image service does not answer.
    pub(crate) async fn system_disk_usage(&self) -> Result<DiskUsageStats, Error> {
        let containers = self.0.table.all();
        let of_containers = containers
            .iter()
            .map(|container| container.record().configuration.image.reference.clone());
        // Every container starts with the init image, and pruning spares it.
        let init_image = self.0.configuration.vminit.image.clone();
        let images: BTreeSet<_> = of_containers.chain([init_image]).collect();
        let measured = blocking(move || {
            let (mut all, mut unused, mut active) = (Usage::default(), Usage::default(), 0);
            for container in &containers {
                all.add_bundle(container)?;
                if container.current_run().is_some() {
                    active += 1;
                } else {
                    unused.add_bundle(container)?;
                }
            }
            Ok(DiskUsage {
                total: containers.len() as u64,
                active,
                size_in_bytes: all.bytes(),
                reclaimable: unused.bytes(),
            })
        });
        let images = self.0.images.disk_usage(images.into_iter().collect());
        let (containers, images) = tokio::try_join!(measured, images)?;
        let this = self.clone();
        let volumes = blocking(move || this.0.volumes.disk_usage(|name| this.uses_volume(name))).await?;
        Ok(DiskUsageStats {
            images,
            containers,
            volumes,
        })
    }
}

/// The files of one or several bundles.
#[derive(Debug, Default)]
struct Usage {
    /// Files by device and inode: allocated bytes, and how many of its names have not been seen.
    files: HashMap<(u64, u64), (u64, u64)>,
}

impl Usage {
    /// Counts the files of a container, if it was not deleted meanwhile.
    fn add_bundle(&mut self, container: &Container) -> Result<(), Error> {
        match self.add(container.bundle.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && container.is_deleted() => Ok(()),
            counted => counted.map_err(|error| {
                let id = &container.id;
                Error::internal(format!("failed to read the bundle of container {id}: {error}"))
            }),
        }
    }

    /// Counts the files in `directory`. One that goes away meanwhile is not there.
    fn add(&mut self, directory: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                self.add(&entry.path())?;
            } else {
                let key = (metadata.dev(), metadata.ino());
                let file = (allocated::by(&metadata), metadata.nlink());
                let (_, unseen) = self.files.entry(key).or_insert(file);
                *unseen = unseen.saturating_sub(1);
            }
        }
        Ok(())
    }

    /// The allocated bytes of the files all of whose names have been counted: nothing else keeps them.
    fn bytes(&self) -> u64 {
        self.files
            .values()
            .filter(|(_, unseen)| *unseen == 0)
            .map(|(bytes, _)| bytes)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn holes_and_shared_files_take_no_space() -> io::Result<()> {
        let root = tempfile::tempdir()?;
        let (one, two) = (root.path().join("one"), root.path().join("two"));
        fs::create_dir_all(one.join("inner"))?;
        fs::create_dir(&two)?;
        let mut own = Usage::default();
        fs::File::create(one.join("sparse"))?.set_len(1 << 30)?;
        own.add(&one)?;
        assert_eq!(own.bytes(), 0);

        fs::write(one.join("inner/shared"), vec![1; 1 << 16])?;
        fs::hard_link(one.join("inner/shared"), two.join("shared"))?;
        let measure = |bundles: &[&Path]| -> io::Result<u64> {
            let mut usage = Usage::default();
            for bundle in bundles {
                usage.add(bundle)?;
            }
            Ok(usage.bytes())
        };
        assert_eq!(measure(&[&one])?, 0, "the other still has it");
        assert_eq!(measure(&[&one, &two])?, 1 << 16, "once, and not twice");
        fs::remove_file(two.join("shared"))?;
        assert_eq!(measure(&[&one])?, 1 << 16);
        Ok(())
    }
}
