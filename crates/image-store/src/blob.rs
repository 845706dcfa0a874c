//! Writing one blob: hashed while it streams to disk, visible only when whole.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oci_spec::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::arrival::{Arrivals, Arriving};
use crate::digest;
use crate::error::{IoContext, Result};

/// Bytes read at a time when a whole file is taken in.
pub(crate) const CHUNK: usize = 256 * 1024;

/// What a blob must turn out to be.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its size in bytes, when that is known before.
    pub(crate) size: Option<u64>,
}

/// A blob that is being written into an ingest directory. Dropped unfinished, it takes its file with it.
#[derive(Debug)]
pub(crate) struct BlobWriter {
    staged: Staged,
    file: File,
    hasher: Sha256,
    expected: Option<Expected>,
}

impl BlobWriter {
    /// Starts a blob in the new file `path`.
    pub(crate) fn create(path: PathBuf, expected: Option<Expected>) -> Result<Self> {
        let file = File::create_new(&path).context("failed to create", &path)?;
        let staged = Staged {
            path,
            digest: digest::of(b""),
            size: 0,
            kept: false,
            arriving: None,
        };
        Ok(Self {
            staged,
            file,
            hasher: Sha256::new(),
            expected,
        })
    }

    /// Goes on with a blob whose beginning may be in the file `path`, and leaves the file when it ends before it is
    /// whole.
    pub(crate) fn resume(path: PathBuf, expected: Expected) -> Result<Self> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .context("failed to open", &path)?;
        let found = file.metadata().context("failed to read", &path)?.len();
        if expected.size.is_some_and(|size| found > size) {
            // This is the beginning of something else.
            file.set_len(0).context("failed to write", &path)?;
        }
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; CHUNK];
        let mut size = 0;
        loop {
            match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    hasher.update(&chunk[..n]);
                    size += n as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("failed to read", path),
            }
        }
        let staged = Staged {
            path,
            digest: digest::of(b""),
            size,
            kept: true,
            arriving: None,
        };
        Ok(Self {
            staged,
            file,
            hasher,
            expected: Some(expected),
        })
    }

    /// Lets others read the blob while it is being written.
    pub(crate) fn announce(&mut self, arrivals: &Arc<Arrivals>) {
        if let Some(Expected { digest, .. }) = &self.expected {
            self.staged.arriving = Some(arrivals.announce(digest, &self.staged.path, self.staged.size));
        }
    }

    /// Bytes written so far, or found.
    pub(crate) fn written(&self) -> u64 {
        self.staged.size
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// The disk refuses, or the blob grows beyond its expected size.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let size = self.staged.size + bytes.len() as u64;
        if let Some(Expected {
            digest,
            size: Some(expected),
        }) = &self.expected
            && size > *expected
        {
            self.staged.kept = false;
            return Err(Error::SizeMismatch {
                digest: digest.clone(),
                expected: *expected,
                actual: expected + 1,
            });
        }
        if let Err(error) = self.file.write_all(bytes) {
            // A full disk is no place to keep halves of blobs.
            self.staged.kept = false;
            return Err(error).context("failed to write", &self.staged.path);
        }
        self.hasher.update(bytes);
        self.staged.size = size;
        if let Some(arriving) = &self.staged.arriving {
            arriving.advance(size);
        }
        Ok(())
    }

    /// Appends everything that `reader` has, naming `source` when reading fails.
    pub(crate) fn copy(&mut self, reader: &mut dyn Read, source: &Path) -> Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match reader.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(n) => self.write(&chunk[..n])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("failed to read", source),
            }
        }
    }

    /// Ends the blob and compares it with what was expected.
    pub(crate) fn finish(mut self) -> Result<Staged> {
        self.staged.digest = digest::finish(self.hasher);
        let actual = self.staged.size;
        if let Some(Expected { digest, size }) = self.expected {
            if let Some(expected) = size.filter(|expected| *expected != actual) {
                return Err(Error::SizeMismatch {
                    digest,
                    expected,
                    actual,
                });
            }
            // All of it is there: this is the blob, or will never be.
            self.staged.kept = false;
            if digest != self.staged.digest {
                return Err(Error::DigestMismatch {
                    expected: digest,
                    actual: self.staged.digest.clone(),
                });
            }
        }
        Ok(self.staged)
    }
}

/// A whole blob in an ingest directory. Its file goes away with it unless the content store took it.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    kept: bool,
    /// Tells those who read the blob already how far it is, until it has its final name.
    arriving: Option<Arriving>,
}

impl Staged {
    /// Brings the blob to disk and to its final name.
    pub(crate) fn publish(mut self, to: &Path) -> Result<()> {
        File::open(&self.path)
            .and_then(|file| file.sync_all())
            .context("failed to sync", &self.path)?;
        crate::durable::rename(&self.path, to)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.kept {
            // The session's directory is removed later in any case.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(text: &[u8], size: Option<u64>) -> Option<Expected> {
        Some(Expected {
            digest: digest::of(text),
            size,
        })
    }

    fn write(dir: &Path, text: &[u8], expected: Option<Expected>) -> Result<Staged> {
        let mut writer = BlobWriter::create(dir.join("blob"), expected)?;
        writer.copy(&mut &text[..], dir)?;
        assert_eq!(writer.written(), text.len() as u64);
        writer.finish()
    }

    #[test]
    fn a_blob_is_published_whole() {
        let dir = tempfile::tempdir().unwrap();
        let staged = write(dir.path(), b"hello", expected(b"hello", Some(5))).unwrap();
        let target = dir.path().join("final");
        staged.publish(&target).unwrap();
        assert_eq!(fs::read(target).unwrap(), b"hello");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_blob_is_continued() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("partial");
        let resume = || {
            let expected = expected(b"hello", Some(5)).unwrap();
            BlobWriter::resume(path.clone(), expected).unwrap()
        };
        let mut writer = resume();
        writer.write(b"he").unwrap();
        drop(writer);
        let mut writer = resume();
        assert_eq!(writer.written(), 2);
        writer.write(b"l").unwrap();
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, Error::SizeMismatch { actual: 3, .. }), "{error}");
        let mut writer = resume();
        assert_eq!(writer.written(), 3);
        writer.write(b"lo").unwrap();
        writer
            .finish()
            .unwrap()
            .publish(&dir.path().join("final"))
            .unwrap();
        assert_eq!(fs::read(dir.path().join("final")).unwrap(), b"hello");

        fs::write(&path, b"longer than hello").unwrap();
        assert_eq!(resume().written(), 0);
        for (found, rest) in [(&b"hu"[..], &b"llo"[..]), (b"hello", b"!")] {
            fs::write(&path, found).unwrap();
            let mut writer = resume();
            let error = writer.write(rest).and_then(|()| writer.finish().map(drop));
            assert!(error.is_err());
            assert!(!path.exists(), "what cannot become the blob is not kept");
        }
    }

    #[test]
    fn what_is_not_expected_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for (text, expected) in [
            (&b"hello"[..], expected(b"other", None)),
            (b"hello", expected(b"hello", Some(6))),
            (b"hello", expected(b"hello", Some(4))),
        ] {
            let error = write(dir.path(), text, expected).unwrap_err();
            assert!(
                matches!(error, Error::DigestMismatch { .. } | Error::SizeMismatch { .. }),
                "{error}"
            );
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }
}
