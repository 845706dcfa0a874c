//! Blobs that did not arrive whole. They are kept for a while, so that the next try goes on where the last one ended,
//! whatever ended it.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use oci_spec::image::Digest;

use crate::digest;
use crate::error::{IoContext, Result};
use crate::usage::Allocated;

/// How long the beginning of a blob is kept after its last byte came.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// How many bytes of them are kept, at most; the oldest go first.
const MAX_TOTAL: u64 = 16 << 30;

/// The beginnings of blobs, named like the blobs.
#[derive(Debug)]
pub(crate) struct Partials {
    dir: PathBuf,
}

/// One of them.
struct Partial {
    path: PathBuf,
    digest: Option<Digest>,
    size: u64,
    age: Duration,
}

impl Partials {
    /// Those in `dir`, which is made if it is not there.
    pub(crate) fn open(dir: PathBuf) -> Result<Self> {
        fs::create_dir_all(&dir).context("failed to create", &dir)?;
        Ok(Self { dir })
    }

    /// Where the beginning of a blob is or would be.
    ///
    /// # Errors
    ///
    /// The digest is not a SHA-256 one.
    pub(crate) fn path(&self, digest: &Digest) -> Result<PathBuf> {
        Ok(self.dir.join(digest::hex(digest)?))
    }

    /// Removes those that are too old and, beginning with the oldest, what is too much, except those that are
    /// `in_use`; the answer is the bytes of disk that came back.
    pub(crate) fn sweep(&self, in_use: impl Fn(&Digest) -> bool) -> Result<u64> {
        self.sweep_to(MAX_TOTAL, in_use)
    }

    fn sweep_to(&self, most: u64, in_use: impl Fn(&Digest) -> bool) -> Result<u64> {
        let mut partials = self.list()?;
        partials.sort_by_key(|partial| partial.age);
        let (mut kept, mut returned) = (0u64, 0);
        for Partial {
            path,
            digest,
            size,
            age,
        } in partials
        {
            let used = digest.as_ref().is_some_and(&in_use);
            if used || (digest.is_some() && age <= MAX_AGE && kept.saturating_add(size) <= most) {
                kept = kept.saturating_add(size);
                continue;
            }
            let allocated = Allocated::below(&path)?.returned;
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => {
                    removed.context("failed to remove", path)?;
                    returned += allocated;
                }
            }
        }
        Ok(returned)
    }

    fn list(&self) -> Result<Vec<Partial>> {
        let mut partials = Vec::new();
        for entry in fs::read_dir(&self.dir).context("failed to read", &self.dir)? {
            let entry = entry.context("failed to read", &self.dir)?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata.context("failed to read", &path)?,
            };
            partials.push(Partial {
                digest: entry.file_name().to_str().and_then(digest::from_hex),
                size: metadata.len(),
                age: age(&metadata),
                path,
            });
        }
        Ok(partials)
    }
}

/// How long ago a file was written to; nothing when the clock says that it will be.
fn age(metadata: &Metadata) -> Duration {
    let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    written.elapsed().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn old_and_too_many_go() {
        let dir = tempfile::tempdir().unwrap();
        let partials = Partials::open(dir.path().join("partial")).unwrap();
        let hour = Duration::from_secs(3600);
        let put = |name: &str, ago: u32| {
            let digest = digest::of(name.as_bytes());
            let path = partials.path(&digest).unwrap();
            fs::write(&path, [0; 1000]).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() - hour * ago).unwrap();
            digest
        };
        let (fresh, recent, used, old) = (put("fresh", 0), put("recent", 2), put("used", 30), put("old", 25));
        fs::write(dir.path().join("partial/what.is.this"), "").unwrap();
        let left = || {
            let mut names: Vec<_> = fs::read_dir(dir.path().join("partial"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        let hex = |digests: &[&Digest]| {
            let mut names: Vec<_> = digests.iter().map(|digest| digest.digest().to_owned()).collect();
            names.sort();
            names
        };
        assert_ne!(old, used);
        assert!(partials.sweep(|digest| *digest == used).unwrap() > 0);
        assert_eq!(left(), hex(&[&fresh, &recent, &used]));
        partials.sweep_to(1500, |digest| *digest == used).unwrap();
        assert_eq!(left(), hex(&[&fresh, &used]));
        partials.sweep(|_| false).unwrap();
        assert_eq!(left(), hex(&[&fresh]));
    }
}
