//! Volumes of a container: disks behind its own, mounted in the guest and bound into the container (behaviour
//! reference, 18 and 28.2).

use container_hypervisor::Disk;
use container_ipc::Error;
use container_resource::{ContainerConfiguration, Filesystem};
use container_sandbox::Agent;
use container_sandbox::proto::{SyncRequest, UmountRequest};

use crate::guest;
use crate::process::{Guest, limited};

/// Disks of the machine before the first volume: init image, container image, the container's own.
const OTHER_DISKS: u8 = 3;

/// The volumes of a container in the order of their disks.
fn of(configuration: &ContainerConfiguration) -> impl Iterator<Item = (u8, &Filesystem)> {
    let volumes = configuration
        .mounts
        .iter()
        .filter(|mount| mount.volume_name().is_some());
    (0..).zip(volumes)
}

/// Their disks. One that is mounted read-only is not even opened for writing, so that many machines can share it.
pub(crate) fn disks(configuration: &ContainerConfiguration) -> Vec<Disk> {
    let disk = |(index, volume): (u8, &Filesystem)| {
        let serial = format!("volume{index}");
        if volume.is_read_only() {
            Disk::read_only(&volume.source, serial)
        } else {
            Disk::writable(&volume.source, serial)
        }
    };
    of(configuration).map(disk).collect()
}

/// Where the volume of this number is mounted in the guest.
pub(crate) fn path(id: &str, index: u8) -> String {
    format!("/run/container/{id}/volumes/{index}")
}

/// Mounts all of them.
///
/// # Errors
/// A disk has no file system that can be mounted.
pub(crate) async fn mount(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    for (index, volume) in of(configuration) {
        let device = char::from(b'a' + OTHER_DISKS + index);
        let mut options = volume.options.clone();
        options.push("noatime".to_owned());
        let source = format!("/dev/vd{device}");
        let mounted = guest::mount(agent, "ext4", &source, &path(&configuration.id, index), options).await;
        mounted.map_err(|error| {
            let name = volume.volume_name().unwrap_or_default();
            error.wrap(format!("failed to mount volume '{name}'"))
        })?;
    }
    Ok(())
}

/// Unmounts them, so that their disks are complete and clean.
pub(crate) async fn unmount(guest: &Guest, configuration: &ContainerConfiguration) {
    let mut any = false;
    for (index, _) in of(configuration) {
        any = true;
        let request = UmountRequest {
            path: path(&configuration.id, index),
            flags: 0,
        };
        if let Err(error) = limited(guest.agent.umount(request)).await {
            tracing::warn!(%error, index, "failed to unmount a volume");
        }
    }
    // The last mount of a disk may go a moment after the process that had it.
    if any && let Err(error) = limited(guest.agent.sync(SyncRequest {})).await {
        tracing::warn!(%error, "failed to write volumes back");
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(path("web", 1), "/run/container/web/volumes/1");
    }
}
