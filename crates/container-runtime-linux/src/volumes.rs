//! Volumes of a container: disks behind its own, mounted in the guest and bound into the container (behaviour
//! reference, 18 and 28.2).

use std::time::Duration;

use container_hypervisor::Disk;
use container_ipc::{Error, ErrorCode};
use container_resource::ContainerConfiguration;
use container_sandbox::Agent;
use container_sandbox::proto::{FillDirectoryRequest, SyncRequest, UmountRequest};
use tokio::time::timeout;

use crate::process::{Guest, limited};
use crate::{guest, spec};

/// The option of a mount that leaves an empty volume empty.
const NO_COPY: &str = "nocopy";
/// How long the image's files may take on their way into a volume.
const FILL_LIMIT: Duration = Duration::from_secs(600);

/// The disk of the first volume is the fourth: init image, container image and the container's own come before.
const FIRST_LETTER: u8 = b'd';

/// A volume, however often it is mounted.
#[derive(Debug, PartialEq, Eq)]
struct Used<'a> {
    name: &'a str,
    disk: &'a str,
    writable: bool,
}

/// The volumes of a container in the order of their disks.
fn of(configuration: &ContainerConfiguration) -> Vec<Used<'_>> {
    let mut volumes: Vec<Used<'_>> = Vec::new();
    for mount in &configuration.mounts {
        let Some(name) = mount.disk_name() else { continue };
        let writable = !mount.is_read_only();
        match volumes.iter_mut().find(|volume| volume.name == name) {
            Some(volume) => volume.writable |= writable,
            None => volumes.push(Used {
                name,
                disk: &mount.source,
                writable,
            }),
        }
    }
    volumes
}

/// Their disks. One that is only read is not even opened for writing, so that many machines can share it.
pub(crate) fn disks(configuration: &ContainerConfiguration) -> Vec<Disk> {
    let disk = |(index, volume): (usize, &Used<'_>)| {
        let serial = format!("volume{index}");
        if volume.writable {
            Disk::writable(volume.disk, serial)
        } else {
            Disk::read_only(volume.disk, serial)
        }
    };
    of(configuration).iter().enumerate().map(disk).collect()
}

/// Where a volume of the container is mounted in the guest.
pub(crate) fn path(configuration: &ContainerConfiguration, name: &str) -> String {
    let index = of(configuration).iter().position(|volume| volume.name == name);
    staged(configuration, index.unwrap_or_default())
}

fn staged(configuration: &ContainerConfiguration, index: usize) -> String {
    format!("/run/container/{}/volumes/{index}", configuration.id)
}

/// Mounts all of them.
///
/// # Errors
/// A disk has no file system that can be mounted.
pub(crate) async fn mount(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    for ((index, volume), letter) in of(configuration).iter().enumerate().zip(FIRST_LETTER..=b'z') {
        let device = format!("/dev/vd{}", char::from(letter));
        let access = if volume.writable { "rw" } else { "ro" };
        // What is deleted in the volume is free on the host too.
        let discard = volume.writable.then_some("discard");
        let options = [access, "noatime"].into_iter().chain(discard);
        let options = options.map(str::to_owned).collect();
        let mounted = guest::mount(agent, "ext4", &device, &staged(configuration, index), options).await;
        mounted.map_err(|error| error.wrap(format!("failed to mount volume '{}'", volume.name)))?;
    }
    Ok(())
}

/// Gives volumes that are empty what the image has where they are mounted, unless a mount has the option `nocopy`. The
/// root is mounted by then.
///
/// # Errors
/// The copy fails, or takes too long.
pub(crate) async fn fill(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    for mount in &configuration.mounts {
        let (Some(name), Some(destination)) = (mount.volume_name(), spec::staged(configuration, mount))
        else {
            continue;
        };
        if mount.is_read_only() || mount.options.iter().any(|option| option == NO_COPY) {
            continue;
        }
        let request = FillDirectoryRequest {
            root: guest::root_path(&configuration.id),
            source: mount.destination.clone(),
            destination,
        };
        let filled = timeout(FILL_LIMIT, agent.fill_directory(request)).await;
        let filled =
            filled.unwrap_or_else(|_| Err(Error::new(ErrorCode::Timeout, "the guest agent does not answer")));
        match filled {
            // An init image of Apple's.
            Err(error) if error.code == ErrorCode::Unsupported => return Ok(()),
            filled => filled.map_err(|error| error.wrap(format!("failed to fill volume '{name}'")))?,
        };
    }
    Ok(())
}

/// Unmounts them, so that their disks are complete and clean.
pub(crate) async fn unmount(guest: &Guest, configuration: &ContainerConfiguration) {
    let volumes = of(configuration);
    for (index, volume) in volumes.iter().enumerate() {
        let request = UmountRequest {
            path: staged(configuration, index),
            flags: 0,
        };
        if let Err(error) = limited(guest.agent.umount(request)).await {
            tracing::warn!(%error, volume.name, "failed to unmount a volume");
        }
    }
    // The last mount of a disk may go a moment after the process that had it.
    if !volumes.is_empty()
        && let Err(error) = limited(guest.agent.sync(SyncRequest {})).await
    {
        tracing::warn!(%error, "failed to write volumes back");
    }
}

#[cfg(test)]
mod tests {
    use container_resource::Filesystem;
    use container_resource::filesystem::{CacheMode, FilesystemType, SyncMode};

    use super::*;
    use crate::testing;

    #[test]
    fn disks_follow_the_mounts() {
        let mut configuration = testing::configuration("web");
        let volume = |name: &str, options: &[&str]| Filesystem {
            kind: FilesystemType::Volume {
                name: name.to_owned(),
                format: "ext4".to_owned(),
                cache: CacheMode::On {},
                sync: SyncMode::Fsync {},
            },
            source: format!("/volumes/{name}/volume.img"),
            destination: format!("/{name}"),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        };
        configuration.mounts = vec![
            Filesystem::tmpfs("/run", vec![]),
            volume("one", &[]),
            volume("two", &["ro"]),
            volume("one", &["ro"]),
        ];
        let disks = disks(&configuration);
        let described: Vec<_> = disks
            .iter()
            .map(|disk| (disk.path.to_str(), disk.read_only, disk.serial.as_str()))
            .collect();
        assert_eq!(
            described,
            [
                (Some("/volumes/one/volume.img"), false, "volume0"),
                (Some("/volumes/two/volume.img"), true, "volume1")
            ]
        );
        assert_eq!(path(&configuration, "two"), "/run/container/web/volumes/1");
    }
}
