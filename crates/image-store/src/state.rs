//! Which references exist: `state.json`, `{ "<reference>": <descriptor> }` (behaviour reference, 32.1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};

use container_resource::{Descriptor, ImageDescription};

use crate::error::{IoContext, Result};
use crate::{Error, durable};

type Images = BTreeMap<String, Descriptor>;

/// The stored references.
#[derive(Debug)]
pub(crate) struct References {
    path: PathBuf,
    images: Mutex<Images>,
}

impl References {
    /// Reads `path`. A file that cannot be understood is set aside, not deleted, and the list starts empty.
    pub(crate) fn open(path: PathBuf) -> Result<Self> {
        durable::tidy(&path)?;
        let images = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).or_else(|error| set_aside(&path, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Images::new(),
            Err(error) => return Err(error).context("failed to read", path),
        };
        Ok(Self {
            path,
            images: Mutex::new(images),
        })
    }

    /// The list, which nobody else changes while the guard lives.
    pub(crate) fn lock(&self) -> Guard<'_> {
        Guard {
            path: &self.path,
            images: self.images.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn set_aside(path: &Path, reason: &serde_json::Error) -> Result<Images> {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let kept = path.with_file_name(format!("{name}{SET_ASIDE}{seconds}"));
    durable::rename(path, &kept)?;
    tracing::error!(
        "unreadable image references are kept at {}: {reason}",
        kept.display()
    );
    Ok(Images::new())
}

const SET_ASIDE: &str = ".unreadable-";

/// The stored references, locked.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    path: &'a Path,
    images: MutexGuard<'a, Images>,
}

impl Guard<'_> {
    /// Every image, by reference.
    pub(crate) fn list(&self) -> Vec<ImageDescription> {
        let description = |(reference, descriptor): (&String, &Descriptor)| ImageDescription {
            reference: reference.clone(),
            descriptor: descriptor.clone(),
        };
        self.images.iter().map(description).collect()
    }

    /// The index that `reference` points to.
    pub(crate) fn get(&self, reference: &str) -> Result<&Descriptor> {
        self.images
            .get(reference)
            .ok_or_else(|| Error::ImageNotFound(reference.to_owned()))
    }

    /// Lets the references point to the indexes, replacing what they pointed to before.
    pub(crate) fn set(&mut self, descriptions: &[ImageDescription]) -> Result<()> {
        let mut images = self.images.clone();
        images.extend(
            descriptions
                .iter()
                .map(|image| (image.reference.clone(), image.descriptor.clone())),
        );
        self.write(images)
    }

    /// Forgets `reference`.
    pub(crate) fn remove(&mut self, reference: &str) -> Result<()> {
        self.get(reference)?;
        let mut images = self.images.clone();
        images.remove(reference);
        self.write(images)
    }

    /// A file of references that could not be read, if one is still there.
    pub(crate) fn set_aside(&self) -> Result<Option<PathBuf>> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let prefix = format!(
            "{}{SET_ASIDE}",
            self.path.file_name().unwrap_or_default().to_string_lossy()
        );
        for entry in fs::read_dir(dir).context("failed to read", dir)? {
            let entry = entry.context("failed to read", dir)?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                return Ok(Some(entry.path()));
            }
        }
        Ok(None)
    }

    fn write(&mut self, images: Images) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(&images)
            .map_err(io::Error::from)
            .context("failed to encode", self.path)?;
        durable::replace(self.path, &bytes)?;
        *self.images = images;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::image::MediaType;

    use super::*;
    use crate::digest;

    fn image(reference: &str) -> ImageDescription {
        let descriptor = Descriptor::new(MediaType::ImageIndex, 7, digest::of(reference.as_bytes()));
        ImageDescription {
            reference: reference.to_owned(),
            descriptor,
        }
    }

    #[test]
    fn references_survive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        let references = References::open(path.clone()).unwrap();
        references.lock().set(&[image("b"), image("a")]).unwrap();
        references.lock().remove("b").unwrap();
        let again = References::open(path).unwrap();
        assert_eq!(again.lock().list(), [image("a")]);
        assert_eq!(
            again.lock().remove("b").unwrap_err().to_string(),
            "image with reference b"
        );
    }

    #[test]
    fn a_list_that_cannot_be_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let references = References::open(dir.path().join("state.json")).unwrap();
        references.lock().set(&[image("a")]).unwrap();
        fs::remove_dir_all(dir.path()).unwrap();
        references.lock().set(&[image("b")]).unwrap_err();
        assert_eq!(references.lock().list(), [image("a")]);
    }

    #[test]
    fn interrupted_writes_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        References::open(path.clone())
            .unwrap()
            .lock()
            .set(&[image("a")])
            .unwrap();
        fs::write(dir.path().join(".state.json.partial"), b"{").unwrap();
        assert_eq!(References::open(path).unwrap().lock().list(), [image("a")]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_unreadable_list_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.json");
        fs::write(&path, b"{ \"a\": ").unwrap();
        let references = References::open(path).unwrap();
        assert_eq!(references.lock().list(), []);
        let kept = references.lock().set_aside().unwrap().unwrap();
        assert_eq!(fs::read(kept).unwrap(), b"{ \"a\": ");
    }
}
