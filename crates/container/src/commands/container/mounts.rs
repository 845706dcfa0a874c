//! What is mounted into a new container (behaviour reference, 9.3 to 9.5).

use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt;

use container_client::ApiClient;
use container_client::api::VolumeCreateRequest;
use container_ipc::{Error, ErrorCode};
use container_resource::volume::ANONYMOUS_LABEL;
use container_resource::{Filesystem, Volume, name};

use crate::flags::management::ManagementFlags;
use crate::log;
use crate::parse::mount::{self, Mount};
use crate::parse::volume::{self, VolumeMount, VolumeSource};

/// tmpfs mounts, then `--volume`s, then `--mount`s, as they were asked for.
///
/// # Errors
/// A value breaks its grammar.
pub(super) fn parse(flags: &ManagementFlags) -> Result<Vec<Mount>, Error> {
    let mut mounts: Vec<Mount> = Vec::new();
    for destination in &flags.tmpfs {
        let mount = Mount::Tmpfs(Filesystem::tmpfs(destination.clone(), Vec::new()));
        if !mounts.contains(&mount) {
            mounts.push(mount);
        }
    }
    for text in &flags.volume {
        mounts.push(Mount::Volume(volume::parse(text)?));
    }
    for text in &flags.mount {
        mounts.push(mount::parse(text)?);
    }
    for mount in &mounts {
        let (Mount::Tmpfs(Filesystem { destination, .. }) | Mount::Volume(VolumeMount { destination, .. })) =
            mount;
        if !destination.starts_with('/') {
            let text = format!("mount destination '{destination}' must be an absolute path");
            return Err(Error::invalid_argument(text));
        }
    }
    Ok(mounts)
}

/// Finds the volumes, and makes those that are not there yet.
///
/// # Errors
/// A volume cannot be made.
pub(super) async fn resolve(api: &ApiClient, mounts: Vec<Mount>) -> Result<Vec<Filesystem>, Error> {
    let mut resolved = Vec::new();
    for mount in mounts {
        resolved.push(match mount {
            Mount::Tmpfs(mount) => mount,
            Mount::Volume(wanted) => {
                let volume = match &wanted.source {
                    VolumeSource::Named(name) => named(api, name).await?,
                    VolumeSource::Anonymous => {
                        let labels = BTreeMap::from([(ANONYMOUS_LABEL.to_owned(), String::new())]);
                        create(api, name::random_id(), labels).await?
                    }
                    VolumeSource::Host(path) => {
                        let path = host_path(path)?;
                        resolved.push(Filesystem::host(path, wanted.destination, wanted.options));
                        continue;
                    }
                };
                Filesystem::volume(&volume, wanted.destination, wanted.options)
            }
        });
    }
    Ok(resolved)
}

/// The absolute path of a directory or file on the host that can be mounted.
fn host_path(path: &str) -> Result<String, Error> {
    let refuse = |problem: &str| Err(Error::invalid_argument(format!("path '{path}' {problem}")));
    let Ok(found) = std::fs::metadata(path) else {
        return refuse("does not exist");
    };
    if !found.is_dir() && !found.is_file() && !found.file_type().is_socket() {
        return refuse("is neither a directory nor a file");
    }
    let Some(path) = std::path::absolute(path)
        .ok()
        .and_then(|path| path.to_str().map(str::to_owned))
    else {
        return refuse("has no name that this version can pass on");
    };
    Ok(path)
}

/// The volume of this name, whoever makes it.
async fn named(api: &ApiClient, name: &str) -> Result<Volume, Error> {
    match api.volume(name).await {
        Err(error) if error.code == ErrorCode::NotFound => {}
        found => return found,
    }
    match create(api, name.to_owned(), BTreeMap::new()).await {
        Ok(volume) => {
            log::info("named volume was automatically created", &[("volume", name)]);
            Ok(volume)
        }
        // Somebody else was faster, or there is another reason, which asking again does not hide.
        Err(error) => api.volume(name).await.map_err(|_| error),
    }
}

async fn create(api: &ApiClient, name: String, labels: BTreeMap<String, String>) -> Result<Volume, Error> {
    let request = VolumeCreateRequest {
        volume_name: name,
        volume_labels: labels,
        ..VolumeCreateRequest::default()
    };
    api.create_volume(request).await
}
