//! Unpacked images: `snapshots/<chain id hex>/disk.erofs` with its `info.json`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{IoContext, Result};
use crate::usage::Allocated;
use crate::{digest, durable};

/// The version of the disks' contents. A disk of another version is made again.
const VERSION: u32 = 1;

const DISK: &str = "disk.erofs";
const INFO: &str = "info.json";

/// A read-only disk that holds the file system of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The disk image, an EROFS file system.
    pub disk: PathBuf,
    /// The chain ID of the layers that were put together.
    pub chain_id: Digest,
    /// The disk's size in bytes.
    pub size: u64,
}

/// What `info.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    version: u32,
    /// The file system on the disk.
    format: String,
    chain_id: Digest,
    /// The layers, lowest first.
    diff_ids: Vec<String>,
    /// Bytes of the disk.
    size: u64,
}

/// The disks of an application root.
#[derive(Debug)]
pub(crate) struct Snapshots {
    root: PathBuf,
}

impl Snapshots {
    /// Opens the directory `root`, which is made if it is not there, and removes what unfinished work left.
    pub(crate) fn open(root: PathBuf) -> Result<Self> {
        let snapshots = Self { root };
        let ingest = snapshots.ingest();
        fs::create_dir_all(&ingest).context("failed to create", &ingest)?;
        durable::empty_dir(&ingest)?;
        Ok(snapshots)
    }

    /// The disk of the layers with this chain ID, if it is there.
    pub(crate) fn get(&self, chain_id: &Digest) -> Result<Option<Snapshot>> {
        let dir = self.dir(chain_id)?;
        let info = match fs::read(dir.join(INFO)) {
            Ok(bytes) => serde_json::from_slice::<Info>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).context("failed to read", dir.join(INFO)),
        };
        let disk = dir.join(DISK);
        let usable = |info: &Info| {
            info.version == VERSION
                && info.chain_id == *chain_id
                && fs::metadata(&disk).is_ok_and(|metadata| metadata.len() == info.size)
        };
        let size = info.filter(usable).map(|info| info.size);
        Ok(size.map(|size| Snapshot {
            disk,
            chain_id: chain_id.clone(),
            size,
        }))
    }

    /// Starts a disk.
    pub(crate) fn build(&self) -> Result<Building<'_>> {
        let dir = self.ingest().join(Uuid::new_v4().to_string());
        fs::create_dir(&dir).context("failed to create", &dir)?;
        Ok(Building { snapshots: self, dir })
    }

    /// The chain IDs of all disks.
    pub(crate) fn chain_ids(&self) -> Result<Vec<Digest>> {
        let mut chains = Vec::new();
        for entry in fs::read_dir(&self.root).context("failed to read", &self.root)? {
            let name = entry.context("failed to read", &self.root)?.file_name();
            chains.extend(name.to_str().and_then(digest::from_hex));
        }
        Ok(chains)
    }

    /// Removes a disk; the answer is the bytes that came back, not those of a disk that a container still has linked.
    pub(crate) fn remove(&self, chain_id: &Digest) -> Result<u64> {
        let dir = self.dir(chain_id)?;
        let freed = Allocated::below(&dir)?.returned;
        self.discard(&dir)?;
        Ok(freed)
    }

    /// Takes the directory away at once, then its contents: what is half removed is never taken for a disk.
    fn discard(&self, dir: &Path) -> Result<()> {
        let trash = self.ingest().join(Uuid::new_v4().to_string());
        match fs::rename(dir, &trash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            renamed => {
                renamed.context("failed to remove", dir)?;
                fs::remove_dir_all(&trash).context("failed to remove", &trash)
            }
        }
    }

    /// The directory that holds everything.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the disk with its information is or would be.
    pub(crate) fn dir(&self, chain_id: &Digest) -> Result<PathBuf> {
        Ok(self.root.join(digest::hex(chain_id)?))
    }

    fn ingest(&self) -> PathBuf {
        self.root.join("ingest")
    }
}

/// A disk that is being made. Dropped unfinished, it is removed.
#[derive(Debug)]
pub(crate) struct Building<'a> {
    snapshots: &'a Snapshots,
    dir: PathBuf,
}

impl Building<'_> {
    /// Where the disk is to be written.
    pub(crate) fn disk(&self) -> PathBuf {
        self.dir.join(DISK)
    }

    /// Brings the disk to its place.
    pub(crate) fn publish(self, chain_id: &Digest, diff_ids: &[String]) -> Result<Snapshot> {
        let disk = self.disk();
        let file = fs::File::open(&disk).context("failed to open", &disk)?;
        file.sync_all().context("failed to sync", &disk)?;
        let size = file.metadata().context("failed to read", &disk)?.len();
        let info = Info {
            version: VERSION,
            format: "erofs".to_owned(),
            chain_id: chain_id.clone(),
            diff_ids: diff_ids.to_vec(),
            size,
        };
        let path = self.dir.join(INFO);
        let bytes = serde_json::to_vec_pretty(&info)
            .map_err(io::Error::from)
            .context("failed to encode", &path)?;
        durable::replace(&path, &bytes)?;
        let target = self.snapshots.dir(chain_id)?;
        // One that is there could not be used, or this one would not have been made.
        self.snapshots.discard(&target)?;
        durable::rename(&self.dir, &target)?;
        Ok(Snapshot {
            disk: target.join(DISK),
            chain_id: chain_id.clone(),
            size,
        })
    }
}

impl Drop for Building<'_> {
    fn drop(&mut self) {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("failed to remove {}: {error}", self.dir.display());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots() -> (tempfile::TempDir, Snapshots) {
        let dir = tempfile::tempdir().unwrap();
        let snapshots = Snapshots::open(dir.path().join("snapshots")).unwrap();
        (dir, snapshots)
    }

    fn publish(snapshots: &Snapshots, chain: &Digest, contents: &[u8]) -> Snapshot {
        let building = snapshots.build().unwrap();
        fs::write(building.disk(), contents).unwrap();
        building.publish(chain, &[chain.to_string()]).unwrap()
    }

    #[test]
    fn a_disk_appears_whole() {
        let (_dir, snapshots) = snapshots();
        let chain = digest::of(b"chain");
        drop(snapshots.build().unwrap());
        assert_eq!(snapshots.get(&chain).unwrap(), None);
        let published = publish(&snapshots, &chain, b"disk");
        assert_eq!(snapshots.get(&chain).unwrap(), Some(published));
        assert_eq!(snapshots.chain_ids().unwrap(), [chain]);
        assert_eq!(fs::read_dir(snapshots.ingest()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_disk_is_not_used_and_can_be_made_again() {
        let (_dir, snapshots) = snapshots();
        let chain = digest::of(b"chain");
        let disk = publish(&snapshots, &chain, b"disk").disk;
        fs::write(&disk, b"dis").unwrap();
        assert_eq!(snapshots.get(&chain).unwrap(), None);
        publish(&snapshots, &chain, b"disk");
        assert!(snapshots.get(&chain).unwrap().is_some());
    }

    #[test]
    fn a_linked_disk_outlives_its_snapshot() {
        let (dir, snapshots) = snapshots();
        let chain = digest::of(b"chain");
        let disk = publish(&snapshots, &chain, b"disk").disk;
        let bundle = dir.path().join("bundle.erofs");
        fs::hard_link(disk, &bundle).unwrap();
        let info = Allocated::below(&snapshots.dir(&chain).unwrap().join(INFO))
            .unwrap()
            .total;
        let freed = snapshots.remove(&chain).unwrap();
        assert_eq!(freed, info, "the container still has the disk");
        assert_eq!(snapshots.get(&chain).unwrap(), None);
        assert_eq!(fs::read(bundle).unwrap(), b"disk");
        assert_eq!(snapshots.remove(&chain).unwrap(), 0);
    }
}
