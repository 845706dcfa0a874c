//! Which running container uses which volume. Two kernels that write to one disk destroy it, and one that reads what
//! another writes sees nonsense.

use std::collections::HashMap;

use container_ipc::Error;
use container_resource::Filesystem;

/// The volumes in use.
#[derive(Debug, Default)]
pub(super) struct Claims(HashMap<String, Vec<Claim>>);

#[derive(Debug)]
struct Claim {
    container: String,
    writes: bool,
}

impl Claims {
    /// Gives a container the volumes of its `mounts`, all of them or none.
    ///
    /// # Errors
    /// Another container writes to one of them, or this one would write to what another has.
    pub(super) fn add(&mut self, container: &str, mounts: &[Filesystem]) -> Result<(), Error> {
        let wanted = || {
            let names = mounts
                .iter()
                .filter_map(|mount| Some((mount.disk_name()?, !mount.is_read_only())));
            names.collect::<Vec<_>>()
        };
        for (name, writes) in wanted() {
            let claims = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
            let other = claims
                .iter()
                .find(|claim| claim.container != container && (claim.writes || writes));
            if let Some(other) = other {
                return Err(Error::invalid_argument(format!(
                    "volume '{name}' is currently in use by container {}; stop that first, or mount it read-only (`:ro`) in both",
                    other.container
                )));
            }
        }
        for (name, writes) in wanted() {
            self.0.entry(name.to_owned()).or_default().push(Claim {
                container: container.to_owned(),
                writes,
            });
        }
        Ok(())
    }

    /// Takes a container's volumes back.
    pub(super) fn remove(&mut self, container: &str) {
        self.0.retain(|_, claims| {
            claims.retain(|claim| claim.container != container);
            !claims.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use container_resource::filesystem::{CacheMode, FilesystemType, SyncMode};

    use super::*;

    fn mount(name: &str, options: &[&str]) -> Filesystem {
        Filesystem {
            kind: FilesystemType::Volume {
                name: name.to_owned(),
                format: "ext4".to_owned(),
                cache: CacheMode::On {},
                sync: SyncMode::Fsync {},
            },
            source: "/volume.img".to_owned(),
            destination: "/data".to_owned(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
        }
    }

    #[test]
    fn many_readers_or_one_writer() {
        let mut claims = Claims::default();
        claims.add("a", &[mount("v", &["ro"])]).unwrap();
        claims.add("b", &[mount("v", &["ro"]), mount("w", &[])]).unwrap();
        let refused = claims
            .add("c", &[mount("x", &[]), mount("v", &[])])
            .unwrap_err()
            .to_string();
        assert!(
            refused.starts_with("volume 'v' is currently in use by container "),
            "{refused}"
        );
        // Nothing was taken of what was refused.
        claims.add("d", &[mount("x", &[])]).unwrap();
        assert!(claims.add("e", &[mount("w", &["ro"])]).is_err());
        claims.remove("b");
        claims.add("e", &[mount("w", &["ro"])]).unwrap();
        // A container that is started again has what it had.
        claims.add("e", &[mount("w", &["ro"])]).unwrap();
    }
}
