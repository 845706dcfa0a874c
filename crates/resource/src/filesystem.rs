//! What is mounted into a container.

use serde::{Deserialize, Serialize};

use crate::Volume;
use crate::volume::SHARED_FORMAT;

/// A mount of a container (behaviour reference, 5.1 `mounts`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// What kind of file system it is.
    #[serde(rename = "type")]
    pub kind: FilesystemType,
    /// Where it comes from: a host path, or the kind's name.
    pub source: String,
    /// The absolute path in the container.
    pub destination: String,
    /// Mount options, such as `ro`.
    #[serde(default)]
    pub options: Vec<String>,
}

impl Filesystem {
    /// A tmpfs at `destination` with mount options such as `size=65536k`.
    pub fn tmpfs(destination: impl Into<String>, options: Vec<String>) -> Self {
        Self {
            kind: FilesystemType::Tmpfs {},
            source: "tmpfs".to_owned(),
            destination: destination.into(),
            options,
        }
    }
}

impl Filesystem {
    /// A directory or file of the host at `destination`, with mount options such as `ro`.
    pub fn host(path: impl Into<String>, destination: impl Into<String>, options: Vec<String>) -> Self {
        Self {
            kind: FilesystemType::Virtiofs {},
            source: path.into(),
            destination: destination.into(),
            options,
        }
    }

    /// A volume at `destination`; a disk is written through the host's cache, with mount options such as `ro`.
    pub fn volume(volume: &Volume, destination: impl Into<String>, options: Vec<String>) -> Self {
        Self {
            kind: FilesystemType::Volume {
                name: volume.id.clone(),
                format: volume.configuration.format.clone(),
                cache: CacheMode::On {},
                sync: SyncMode::Fsync {},
            },
            source: volume.configuration.source.clone(),
            destination: destination.into(),
            options,
        }
    }

    /// The name of the volume that is mounted, if it is one.
    pub fn volume_name(&self) -> Option<&str> {
        match &self.kind {
            FilesystemType::Volume { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The name of the volume that is mounted, if it is one that has a disk.
    pub fn disk_name(&self) -> Option<&str> {
        self.volume_name().filter(|_| !self.is_shared())
    }

    /// Whether it is a directory or file of the host, which several machines can use at a time.
    pub fn is_shared(&self) -> bool {
        match &self.kind {
            FilesystemType::Virtiofs {} => true,
            FilesystemType::Volume { format, .. } => format == SHARED_FORMAT,
            FilesystemType::Tmpfs {} | FilesystemType::Block { .. } => false,
        }
    }

    /// Whether nothing can be written.
    pub fn is_read_only(&self) -> bool {
        self.options.iter().any(|option| option == "ro")
    }
}

/// The kinds of mounts, in the shape Foundation gives enumerations with values (behaviour reference, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FilesystemType {
    /// A host directory or file.
    Virtiofs {},
    /// Memory.
    Tmpfs {},
    /// A disk image.
    Block {
        /// The file system on it, such as `ext4`.
        format: String,
        /// Host caching.
        cache: CacheMode,
        /// Host synchronisation.
        sync: SyncMode,
    },
    /// A named volume.
    Volume {
        /// The volume's name.
        name: String,
        /// The file system on it.
        format: String,
        /// Host caching.
        cache: CacheMode,
        /// Host synchronisation.
        sync: SyncMode,
    },
}

/// Whether the host caches a disk's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CacheMode {
    /// The host's page cache is used.
    On {},
    /// The host's page cache is bypassed.
    Off {},
    /// The hypervisor decides.
    Auto {},
}

/// What a guest's flush of a disk does on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncMode {
    /// Data reach the drive itself.
    Full {},
    /// `fsync`.
    Fsync {},
    /// Nothing: data may be lost with the host.
    Nosync {},
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_foundations_shape() {
        let mount = Filesystem::tmpfs("/run", vec![]);
        assert_eq!(
            serde_json::to_string(&mount).unwrap_or_default(),
            r#"{"type":{"tmpfs":{}},"source":"tmpfs","destination":"/run","options":[]}"#
        );
        let block = FilesystemType::Block {
            format: "ext4".to_owned(),
            cache: CacheMode::On {},
            sync: SyncMode::Fsync {},
        };
        assert_eq!(
            serde_json::to_string(&block).unwrap_or_default(),
            r#"{"block":{"format":"ext4","cache":{"on":{}},"sync":{"fsync":{}}}}"#
        );
    }
}
