//! Writing one blob: hashed while it streams to disk, visible only when whole.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::Error;
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
        };
        Ok(Self {
            staged,
            file,
            hasher: Sha256::new(),
            expected,
        })
    }

    /// Bytes written so far.
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
            return Err(Error::SizeMismatch {
                digest: digest.clone(),
                expected: *expected,
                actual: expected + 1,
            });
        }
        self.file
            .write_all(bytes)
            .context("failed to write", &self.staged.path)?;
        self.hasher.update(bytes);
        self.staged.size = size;
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
