//! The content store: blobs named by their digest (behaviour reference, 19.4 and 32.1).

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oci_spec::image::Digest;
use uuid::Uuid;

use crate::arrival::Arrivals;
use crate::blob::{BlobWriter, Expected, Staged};
use crate::error::{IoContext, Result};
use crate::partial::Partials;
use crate::usage::Allocated;
use crate::{Error, digest, durable};

/// The largest document (index, manifest, configuration) that is read into memory, in bytes: 8 MiB. Registries
/// refuse manifests of more than 4 MiB.
pub(crate) const MAX_DOCUMENT: u64 = 8 << 20;

/// Blobs by digest, below `<root>/blobs/sha256`.
#[derive(Debug)]
pub(crate) struct ContentStore {
    root: PathBuf,
    blobs: PathBuf,
    ingest: PathBuf,
    partials: Partials,
    arrivals: Arc<Arrivals>,
    /// How many running operations need a blob, stored or not.
    leases: Mutex<HashMap<Digest, usize>>,
}

impl ContentStore {
    /// Opens the store below `root`, which is made if it is not there, and removes what unfinished work left.
    pub(crate) fn open(root: &Path) -> Result<Arc<Self>> {
        let store = Self {
            root: root.to_owned(),
            blobs: root.join("blobs/sha256"),
            ingest: root.join("ingest"),
            partials: Partials::open(root.join("partial"))?,
            arrivals: Arc::default(),
            leases: Mutex::default(),
        };
        for dir in [&store.blobs, &store.ingest] {
            fs::create_dir_all(dir).context("failed to create", dir)?;
        }
        durable::empty_dir(&store.ingest)?;
        store.sweep_partials()?;
        Ok(Arc::new(store))
    }

    /// The directory that holds everything.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The blobs that are being fetched.
    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Where the blob is or would be.
    ///
    /// # Errors
    ///
    /// The digest is not a SHA-256 one.
    pub(crate) fn path(&self, digest: &Digest) -> Result<PathBuf> {
        Ok(self.blobs.join(digest::hex(digest)?))
    }

    /// The size of the blob in bytes; none when it is not stored.
    pub(crate) fn size(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.path(digest)?;
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("failed to read", path),
        }
    }

    /// Opens a blob.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<File> {
        let path = self.path(digest)?;
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::BlobNotFound(digest.clone())),
            opened => opened.context("failed to open", path),
        }
    }

    /// Reads a document of at most [`MAX_DOCUMENT`] bytes and checks that it still is what its digest says.
    pub(crate) fn read(&self, digest: &Digest) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?
            .take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .context("failed to read", self.path(digest)?)?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(Error::SizeMismatch {
                digest: digest.clone(),
                expected: MAX_DOCUMENT,
                actual: bytes.len() as u64,
            });
        }
        let actual = digest::of(&bytes);
        if actual != *digest {
            return Err(Error::DigestMismatch {
                expected: digest.clone(),
                actual,
            });
        }
        Ok(bytes)
    }

    /// The digests of everything stored.
    pub(crate) fn digests(&self) -> Result<Vec<Digest>> {
        let entries = fs::read_dir(&self.blobs).context("failed to read", &self.blobs)?;
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry.context("failed to read", &self.blobs)?.file_name();
            digests.extend(name.to_str().and_then(digest::from_hex));
        }
        Ok(digests)
    }

    /// Removes a blob unless a running operation needs it; the answer is the bytes of disk that came back.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.path(digest)?;
        // Held while the file goes away: whoever takes a lease afterwards sees that it is gone.
        let leases = self.leases();
        if leases.contains_key(digest) {
            return Ok(None);
        }
        let allocated = Allocated::below(&path)?.returned;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            removed => {
                removed.context("failed to remove", path)?;
                Ok(Some(allocated))
            }
        }
    }

    /// Whether a running operation needs the blob.
    pub(crate) fn is_leased(&self, digest: &Digest) -> bool {
        self.leases().contains_key(digest)
    }

    /// Removes the beginnings of blobs that are not worth keeping; the answer is the bytes of disk that came back.
    pub(crate) fn sweep_partials(&self) -> Result<u64> {
        self.partials.sweep(|digest| self.is_leased(digest))
    }

    /// Starts a session that brings blobs in.
    pub(crate) fn ingest(self: &Arc<Self>) -> Result<Ingest> {
        let dir = self.ingest.join(Uuid::new_v4().to_string());
        fs::create_dir(&dir).context("failed to create", &dir)?;
        Ok(Ingest {
            store: Arc::clone(self),
            dir,
            leased: Mutex::default(),
        })
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Digest, usize>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that brings blobs in. What it stored or asked for is safe from garbage collection while it lives; hold
/// it until a reference to the blobs is written.
#[derive(Debug)]
pub(crate) struct Ingest {
    store: Arc<ContentStore>,
    dir: PathBuf,
    leased: Mutex<HashSet<Digest>>,
}

impl Ingest {
    /// The store that the blobs go to.
    pub(crate) fn store(&self) -> &Arc<ContentStore> {
        &self.store
    }

    /// Whether the blob is stored, and as large as it should be.
    pub(crate) fn holds(&self, digest: &Digest, size: Option<u64>) -> Result<bool> {
        self.lease(digest);
        let stored = self.store.size(digest)?;
        Ok(stored.is_some_and(|stored| size.is_none_or(|size| size == stored)))
    }

    /// Starts a blob.
    pub(crate) fn writer(&self, expected: Option<Expected>) -> Result<BlobWriter> {
        BlobWriter::create(self.dir.join(Uuid::new_v4().to_string()), expected)
    }

    /// Goes on with a blob that did not arrive whole before, if it did not. One writer at a time may do so.
    pub(crate) fn resume(&self, expected: Expected) -> Result<BlobWriter> {
        self.lease(&expected.digest);
        let mut writer = BlobWriter::resume(self.store.partials.path(&expected.digest)?, expected)?;
        writer.announce(&self.store.arrivals);
        Ok(writer)
    }

    /// Makes a finished blob visible, unless it is stored already.
    pub(crate) fn publish(&self, staged: Staged) -> Result<()> {
        if self.holds(&staged.digest, Some(staged.size))? {
            return Ok(());
        }
        let path = self.store.path(&staged.digest)?;
        staged.publish(&path)
    }

    /// Stores a small document and tells its digest.
    pub(crate) fn add(&self, bytes: &[u8]) -> Result<Digest> {
        let mut writer = self.writer(None)?;
        writer.write(bytes)?;
        let staged = writer.finish()?;
        let digest = staged.digest.clone();
        self.publish(staged)?;
        Ok(digest)
    }

    fn lease(&self, digest: &Digest) {
        let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
        if leased.insert(digest.clone()) {
            *self.store.leases().entry(digest.clone()).or_default() += 1;
        }
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        let leased = std::mem::take(&mut *self.leased.lock().unwrap_or_else(PoisonError::into_inner));
        let mut leases = self.store.leases();
        for digest in leased {
            if let Some(count) = leases.get_mut(&digest) {
                *count -= 1;
                if *count == 0 {
                    leases.remove(&digest);
                }
            }
        }
        drop(leases);
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!("failed to remove {}: {error}", self.dir.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Arc<ContentStore>) {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        (dir, store)
    }

    #[test]
    fn a_blob_can_be_read_back() {
        let (_dir, store) = store();
        let ingest = store.ingest().unwrap();
        let digest = ingest.add(b"hello").unwrap();
        assert_eq!(
            ingest.add(b"hello").unwrap(),
            digest,
            "stored twice is stored once"
        );
        assert_eq!(store.read(&digest).unwrap(), b"hello");
        assert_eq!(store.digests().unwrap(), std::slice::from_ref(&digest));
        assert!(ingest.holds(&digest, Some(5)).unwrap());
        assert!(!ingest.holds(&digest, Some(6)).unwrap());
    }

    #[test]
    fn a_blob_in_use_is_not_removed() {
        let (_dir, store) = store();
        let ingest = store.ingest().unwrap();
        let digest = ingest.add(b"hello").unwrap();
        let other = store.ingest().unwrap();
        assert!(other.holds(&digest, None).unwrap());
        drop(ingest);
        assert_eq!(store.remove(&digest).unwrap(), None);
        drop(other);
        assert!(store.remove(&digest).unwrap().is_some());
        assert_eq!(store.remove(&digest).unwrap(), None, "gone already");
        assert_eq!(
            store.read(&digest).unwrap_err().to_string(),
            format!("digest {digest} not found")
        );
    }

    #[test]
    fn a_damaged_document_is_noticed() {
        let (_dir, store) = store();
        let digest = store.ingest().unwrap().add(b"hello").unwrap();
        fs::write(store.path(&digest).unwrap(), b"hullo").unwrap();
        assert!(matches!(store.read(&digest), Err(Error::DigestMismatch { .. })));
    }

    #[test]
    fn sessions_clean_up() {
        let (dir, store) = store();
        let ingest = store.ingest().unwrap();
        let mut writer = ingest.writer(None).unwrap();
        writer.write(b"half").unwrap();
        drop(writer);
        drop(ingest);
        assert_eq!(fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
        fs::create_dir_all(dir.path().join("ingest/left/over")).unwrap();
        ContentStore::open(dir.path()).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("ingest")).unwrap().count(), 0);
    }
}
