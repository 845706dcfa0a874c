//! Directories and files of the host in a container: shared with its virtual machine as one file system, mounted there,
//! and bound into the container (behaviour reference, 28.1 and 28.4).

use std::path::Path;

use container_hypervisor::{SHARES_TAG, Share};
use container_ipc::Error;
use container_resource::{ContainerConfiguration, Filesystem};
use container_sandbox::Agent;
use container_sandbox::proto::StatRequest;

use crate::{guest, sockets};

/// Where everything that is shared is mounted in the guest.
const MOUNT_POINT: &str = "/run/virtiofs";

/// The mounts of host paths and of volumes that are directories of the host, each with the name of its share.
fn of(configuration: &ContainerConfiguration) -> impl Iterator<Item = (String, &Filesystem)> {
    let mounts = configuration.mounts.iter();
    let of_host = mounts.filter(|mount| mount.is_shared() && !sockets::is_mounted(mount));
    of_host
        .enumerate()
        .map(|(index, mount)| (index.to_string(), mount))
}

/// What the machine shares. A mount that is read-only is so on the host: the guest cannot change that.
pub(crate) fn shares(configuration: &ContainerConfiguration) -> Vec<Share> {
    of(configuration)
        .map(|(name, mount)| Share {
            name,
            path: mount.source.clone().into(),
            read_only: mount.is_read_only(),
            live: mount.volume_name().is_some(),
        })
        .collect()
}

/// Where in the guest the host path of a mount is.
pub(crate) fn path(configuration: &ContainerConfiguration, wanted: &Filesystem) -> String {
    let name = of(configuration)
        .find(|(_, mount)| std::ptr::eq(*mount, wanted))
        .map_or_else(String::new, |(name, _)| name);
    let source = Path::new(&wanted.source);
    match source.file_name().filter(|_| !source.is_dir()) {
        Some(file) => format!("{MOUNT_POINT}/{name}/{}", file.display()),
        None => format!("{MOUNT_POINT}/{name}"),
    }
}

/// What is shared, as whoever announces changes needs it.
#[cfg(not(target_os = "macos"))]
pub(crate) fn shared(configuration: &ContainerConfiguration) -> Vec<crate::announce::Shared> {
    of(configuration)
        .map(|(name, mount)| {
            let source = Path::new(&mount.source);
            let file = source.file_name().filter(|_| !source.is_dir());
            crate::announce::Shared {
                source: source.to_owned(),
                root: format!("{MOUNT_POINT}/{name}"),
                file: file.map(Into::into).unwrap_or_default(),
            }
        })
        .collect()
}

/// Mounts what is shared.
///
/// # Errors
/// The guest's kernel refuses.
pub(crate) async fn mount(agent: &Agent, configuration: &ContainerConfiguration) -> Result<(), Error> {
    if of(configuration).next().is_none() {
        return Ok(());
    }
    let mount = async {
        guest::mount(agent, "virtiofs", SHARES_TAG, MOUNT_POINT, Vec::new()).await?;
        // The kernel mounts each directory where it is first passed through. That is here, so that the container has the
        // same files as the agent, and none that look the same.
        let entered = of(configuration).map(|(name, _)| StatRequest {
            path: format!("{MOUNT_POINT}/{name}/."),
            ..StatRequest::default()
        });
        for request in entered {
            agent.stat(request).await?;
        }
        Ok(())
    };
    let mounted: Result<(), Error> = mount.await;
    mounted.map_err(|error| error.wrap("failed to mount the host's directories"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn files_keep_their_names_below_their_shares() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("config.toml");
        std::fs::write(&file, "").expect("a file");
        let mut configuration = testing::configuration("web");
        let share = |source: &Path, options: &[&str]| {
            let options = options.iter().map(|option| (*option).to_owned()).collect();
            Filesystem::host(source.display().to_string(), "/x", options)
        };
        configuration.mounts = vec![
            Filesystem::tmpfs("/run", vec![]),
            share(directory.path(), &[]),
            share(&file, &["ro"]),
        ];
        let shares = shares(&configuration);
        let described: Vec<_> = shares
            .iter()
            .map(|share| (share.name.as_str(), share.path.as_path(), share.read_only))
            .collect();
        assert_eq!(
            described,
            [("0", directory.path(), false), ("1", file.as_path(), true)]
        );
        assert_eq!(path(&configuration, &configuration.mounts[1]), "/run/virtiofs/0");
        assert_eq!(
            path(&configuration, &configuration.mounts[2]),
            "/run/virtiofs/1/config.toml"
        );
    }
}
