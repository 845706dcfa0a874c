//! Blobs that are read while they are still arriving.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oci_spec::image::Digest;
use tokio_util::sync::CancellationToken;

use crate::content::ContentStore;

/// How often somebody who waits looks whether he still should.
const PATIENCE: Duration = Duration::from_millis(100);

/// The blobs that are being written, and how far they are.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    blobs: HashMap<Digest, Arrival>,
    /// How many there were.
    announced: u64,
}

#[derive(Debug)]
struct Arrival {
    /// Which of those that were announced it is.
    number: u64,
    path: PathBuf,
    written: u64,
}

impl Arrivals {
    /// Announces a blob of which `written` bytes are in the file `path`. One writer at a time has a blob.
    pub(crate) fn announce(self: &Arc<Self>, digest: &Digest, path: &Path, written: u64) -> Arriving {
        let mut state = self.lock();
        state.announced += 1;
        let arrival = Arrival {
            number: state.announced,
            path: path.to_owned(),
            written,
        };
        state.blobs.insert(digest.clone(), arrival);
        drop(state);
        self.changed.notify_all();
        Arriving {
            arrivals: Arc::clone(self),
            digest: digest.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A blob that is being written. Dropped when it has its final name, or will never have it.
#[derive(Debug)]
pub(crate) struct Arriving {
    arrivals: Arc<Arrivals>,
    digest: Digest,
}

impl Arriving {
    /// So many bytes are in the file.
    pub(crate) fn advance(&self, written: u64) {
        if let Some(arrival) = self.arrivals.lock().blobs.get_mut(&self.digest) {
            arrival.written = written;
        }
        self.arrivals.changed.notify_all();
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.arrivals.lock().blobs.remove(&self.digest);
        self.arrivals.changed.notify_all();
    }
}

/// Whether what is waited for may still come.
#[derive(Debug, Default)]
pub(crate) struct Supply {
    /// Nobody waits any more for what is made of it.
    pub(crate) cancelled: CancellationToken,
    /// Everything that was going to arrive has.
    complete: AtomicBool,
}

impl Supply {
    /// Nothing more arrives.
    pub(crate) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }
}

/// A blob's contents, stored or arriving. The end comes only when the blob is stored, and so verified.
#[derive(Debug)]
pub(crate) struct Follow<'a> {
    store: &'a ContentStore,
    supply: &'a Supply,
    digest: Digest,
    file: Option<File>,
    /// The number of the arrival that the file belongs to.
    number: u64,
    offset: u64,
    /// Whether the file has everything.
    whole: bool,
}

impl<'a> Follow<'a> {
    /// Reads the blob from its beginning.
    pub(crate) fn new(store: &'a ContentStore, supply: &'a Supply, digest: &Digest) -> Self {
        Self {
            store,
            supply,
            digest: digest.clone(),
            file: None,
            number: 0,
            offset: 0,
            whole: false,
        }
    }

    /// Waits for bytes behind the offset, and tells how many there are; any number when all are there.
    fn wait(&mut self) -> io::Result<u64> {
        let arrivals = self.store.arrivals();
        let mut state = arrivals.lock();
        loop {
            if self.supply.cancelled.is_cancelled() {
                return Err(io::Error::other("operation cancelled"));
            }
            // Looked at before the blob's place: what is complete now is there, or never will be.
            let complete = self.supply.complete.load(Ordering::Acquire);
            match (state.blobs.get(&self.digest), &self.file) {
                (Some(arrival), None) => {
                    match File::open(&arrival.path) {
                        // It has just got its final name.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => return self.open_stored(),
                        opened => self.file = Some(opened?),
                    }
                    self.number = arrival.number;
                }
                (Some(arrival), Some(_)) if arrival.number == self.number => {}
                (None, None) if !complete && !self.is_stored()? => {}
                // Its writer has ended.
                _ => return self.open_stored(),
            }
            if let Some(arrival) = state.blobs.get(&self.digest)
                && arrival.written > self.offset
            {
                return Ok(arrival.written - self.offset);
            }
            let waited = arrivals.changed.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn is_stored(&self) -> io::Result<bool> {
        let size = self.store.size(&self.digest).map_err(io::Error::other)?;
        Ok(size.is_some())
    }

    /// Goes on with the stored blob. What was read until now is its beginning, unless a writer gave up in between: whoever
    /// unpacks layers notices that by their digests.
    fn open_stored(&mut self) -> io::Result<u64> {
        let mut stored = self.store.open_blob(&self.digest).map_err(io::Error::other)?;
        stored.seek(SeekFrom::Start(self.offset))?;
        self.file = Some(stored);
        self.whole = true;
        Ok(u64::MAX)
    }
}

impl Read for Follow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = if self.whole { u64::MAX } else { self.wait()? };
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        let length = usize::try_from(available).map_or(buffer.len(), |available| available.min(buffer.len()));
        let n = file.read(&mut buffer[..length])?;
        self.offset += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::blob::Expected;
    use crate::digest;

    fn store() -> (tempfile::TempDir, Arc<ContentStore>) {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path()).unwrap();
        (dir, store)
    }

    fn expected(bytes: &[u8]) -> Expected {
        Expected {
            digest: digest::of(bytes),
            size: Some(bytes.len() as u64),
        }
    }

    #[test]
    fn readers_follow_the_writer_to_the_end() {
        let (_dir, store) = store();
        let ingest = store.ingest().unwrap();
        let supply = Supply::default();
        let (first, second) = (vec![1; 100_000], vec![2; 70_000]);
        let whole = [&first[..], &second].concat();
        let digest = digest::of(&whole);
        thread::scope(|scope| {
            let mut early = Follow::new(&store, &supply, &digest);
            let reader = scope.spawn(move || {
                let mut begun = vec![0; 50_000];
                early.read_exact(&mut begun).unwrap();
                (begun, early)
            });
            let mut writer = ingest.resume(expected(&whole)).unwrap();
            writer.write(&first).unwrap();
            // What is read while the blob is arriving.
            let (mut bytes, mut early) = reader.join().unwrap();
            let reader = scope.spawn(move || {
                early.read_to_end(&mut bytes).unwrap();
                bytes
            });
            writer.write(&second).unwrap();
            ingest.publish(writer.finish().unwrap()).unwrap();
            assert_eq!(reader.join().unwrap(), whole);
        });
        let mut late = Vec::new();
        Follow::new(&store, &supply, &digest)
            .read_to_end(&mut late)
            .unwrap();
        assert_eq!(late, whole);
    }

    #[test]
    fn a_blob_that_is_renamed_before_its_writer_ends() {
        let (dir, store) = store();
        let ingest = store.ingest().unwrap();
        let digest = digest::of(b"hello");
        let mut writer = ingest.resume(expected(b"hello")).unwrap();
        writer.write(b"hello").unwrap();
        let partial = dir.path().join("partial").join(digest.digest());
        std::fs::rename(partial, store.path(&digest).unwrap()).unwrap();
        let mut bytes = Vec::new();
        let supply = Supply::default();
        Follow::new(&store, &supply, &digest)
            .read_to_end(&mut bytes)
            .unwrap();
        assert_eq!(bytes, b"hello");
    }

    #[test]
    fn what_does_not_arrive_is_an_error() {
        let (_dir, store) = store();
        let ingest = store.ingest().unwrap();
        let supply = Supply::default();
        let digest = digest::of(b"hello");
        let mut bytes = Vec::new();
        let mut given_up = Follow::new(&store, &supply, &digest);
        let mut writer = ingest.resume(expected(b"hello")).unwrap();
        writer.write(b"he").unwrap();
        given_up.read_exact(&mut [0; 2]).unwrap();
        drop(writer);
        let error = given_up.read_to_end(&mut bytes).unwrap_err().to_string();
        assert_eq!(error, format!("digest {digest} not found"));
        supply.complete();
        assert!(
            Follow::new(&store, &supply, &digest)
                .read_to_end(&mut bytes)
                .is_err()
        );
        let supply = Supply::default();
        thread::scope(|scope| {
            let mut waiting = Follow::new(&store, &supply, &digest);
            let reader = scope.spawn(move || waiting.read_to_end(&mut Vec::new()));
            supply.cancelled.cancel();
            let error = reader.join().unwrap().unwrap_err().to_string();
            assert_eq!(error, "operation cancelled");
        });
    }
}
