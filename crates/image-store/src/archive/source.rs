//! Where an archive's blobs come from: the members of a tar file, or the files of a directory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use oci_spec::image::Digest;

use super::members::{BLOBS, Members};
use crate::blob::{Expected, Staged};
use crate::content::{Ingest, MAX_DOCUMENT};
use crate::error::{IoContext, Result};
use crate::graph::Documents;
use crate::{Error, digest};

/// An archive or a layout, and what is to be taken from it.
#[derive(Debug)]
pub(super) struct Source<'a> {
    path: &'a Path,
    place: Place,
    ingest: &'a Ingest,
    /// Blobs of the images, staged.
    taken: RefCell<HashMap<Digest, Staged>>,
    /// Members that were taken by name.
    by_name: RefCell<HashMap<String, Taken>>,
}

#[derive(Debug)]
enum Place {
    Directory,
    Archive(RefCell<Members>),
}

/// A staged file.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) path: PathBuf,
}

impl<'a> Source<'a> {
    /// The layout in the directory `path`.
    pub(super) fn directory(path: &'a Path, ingest: &'a Ingest) -> Self {
        Self {
            path,
            place: Place::Directory,
            ingest,
            taken: RefCell::default(),
            by_name: RefCell::default(),
        }
    }

    /// The archive `path`, whose members are staged.
    pub(super) fn archive(path: &'a Path, members: Members, ingest: &'a Ingest) -> Self {
        Self {
            path,
            place: Place::Archive(RefCell::new(members)),
            ingest,
            taken: RefCell::default(),
            by_name: RefCell::default(),
        }
    }

    /// An error about this archive.
    pub(super) fn error(&self, reason: impl Into<String>) -> Error {
        Error::Archive {
            path: self.path.to_owned(),
            reason: reason.into(),
        }
    }

    /// Whether there is a file of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.place {
            Place::Directory => self.path.join(name).is_file(),
            Place::Archive(members) => {
                let members = members.borrow();
                members
                    .resolve(name)
                    .is_some_and(|name| members.files.contains_key(name))
            }
        }
    }

    /// Reads a small file.
    pub(super) fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = match &self.place {
            Place::Directory => self.path.join(name),
            Place::Archive(members) => {
                let members = members.borrow();
                let file = members.resolve(name).and_then(|name| members.files.get(name));
                file.ok_or_else(|| self.error(format!("{name} is missing")))?
                    .path
                    .clone()
            }
        };
        self.read_file(&path, name)
    }

    /// Takes the blob `digest`; false when neither the archive nor the store has it.
    pub(super) fn take_blob(&self, digest: &Digest, size: u64) -> Result<bool> {
        let name = format!("{BLOBS}{}", digest::hex(digest)?);
        if self.taken.borrow().contains_key(digest) {
            return Ok(true);
        }
        let taken = match &self.place {
            Place::Directory => self.copy(
                &name,
                Expected {
                    digest: digest.clone(),
                    size: Some(size),
                },
            )?,
            Place::Archive(_) => self.remove_member(&name),
        };
        let Some(staged) = taken else {
            return self.ingest.holds(digest, Some(size));
        };
        if staged.digest != *digest {
            return Err(Error::DigestMismatch {
                expected: digest.clone(),
                actual: staged.digest.clone(),
            });
        }
        if staged.size != size {
            let digest = digest.clone();
            return Err(Error::SizeMismatch {
                digest,
                expected: size,
                actual: staged.size,
            });
        }
        self.taken.borrow_mut().insert(digest.clone(), staged);
        Ok(true)
    }

    /// Takes the member `name` of an archive under whatever digest it has; several names may lead to one member.
    pub(super) fn take_member(&self, name: &str) -> Result<Taken> {
        let Place::Archive(members) = &self.place else {
            return Err(self.error("it is a directory without an image layout"));
        };
        let members = members.borrow();
        let resolved = members
            .resolve(name)
            .ok_or_else(|| self.error(format!("{name} is a circular link")))?;
        if let Some(taken) = self.by_name.borrow().get(resolved) {
            return Ok(taken.clone());
        }
        let resolved = resolved.to_owned();
        drop(members);
        let staged = self
            .remove_member(&resolved)
            .ok_or_else(|| self.error(format!("{name} is missing")))?;
        let taken = Taken {
            digest: staged.digest.clone(),
            size: staged.size,
            path: staged.path.clone(),
        };
        self.taken
            .borrow_mut()
            .entry(staged.digest.clone())
            .or_insert(staged);
        self.by_name.borrow_mut().insert(resolved, taken.clone());
        Ok(taken)
    }

    /// Adds a document that is not in the archive.
    pub(super) fn add(&self, bytes: &[u8]) -> Result<Digest> {
        let mut writer = self.ingest.writer(None)?;
        writer.write(bytes)?;
        let staged = writer.finish()?;
        let digest = staged.digest.clone();
        self.taken.borrow_mut().insert(digest.clone(), staged);
        Ok(digest)
    }

    /// Gives everything that was taken its final name.
    pub(super) fn publish(self) -> Result<()> {
        self.taken
            .into_inner()
            .into_values()
            .try_for_each(|staged| self.ingest.publish(staged))
    }

    fn remove_member(&self, name: &str) -> Option<Staged> {
        let Place::Archive(members) = &self.place else {
            return None;
        };
        let resolved = members.borrow().resolve(name)?.to_owned();
        members.borrow_mut().files.remove(&resolved)
    }

    fn copy(&self, name: &str, expected: Expected) -> Result<Option<Staged>> {
        let path = self.path.join(name);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.context("failed to open", &path)?,
        };
        let mut writer = self.ingest.writer(Some(expected))?;
        writer.copy(&mut file, &path)?;
        writer.finish().map(Some)
    }

    fn read_file(&self, path: &Path, name: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.error(format!("{name} is missing")));
            }
            opened => opened.context("failed to open", path)?,
        };
        file.take(MAX_DOCUMENT + 1)
            .read_to_end(&mut bytes)
            .context("failed to read", path)?;
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(self.error(format!("{name} is larger than {MAX_DOCUMENT} bytes")));
        }
        Ok(bytes)
    }
}

impl Documents for Source<'_> {
    /// A document that was taken or is stored; its digest was checked when it was staged.
    fn document(&self, digest: &Digest) -> Result<Vec<u8>> {
        let path = self.taken.borrow().get(digest).map(|staged| staged.path.clone());
        match path {
            Some(path) if fs::metadata(&path).is_ok() => self.read_file(&path, digest.as_ref()),
            _ => self.ingest.store().document(digest),
        }
    }
}
