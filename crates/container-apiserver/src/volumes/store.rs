//! Volumes on disk: `<name>/{entity.json, volume.img}`, or `data/` in place of the disk, each of them [whole] or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use container_ipc::Error;
use container_resource::VolumeConfiguration;
use container_resource::name::is_volume_name;
use container_resource::volume::SHARED_FORMAT;

use super::options::{DiskOptions, VolumeOptions};
use crate::whole;

/// What was asked for: a [`VolumeConfiguration`] as JSON.
const ENTITY_FILE: &str = "entity.json";
/// The disk.
const DISK_FILE: &str = "volume.img";
/// The directory of a shared volume.
const DATA_DIRECTORY: &str = "data";

/// The disk or the directory of the volume `name`.
pub(super) fn source(directory: &Path, name: &str, format: &str) -> PathBuf {
    let file = if format == SHARED_FORMAT {
        DATA_DIRECTORY
    } else {
        DISK_FILE
    };
    directory.join(name).join(file)
}

/// Reads every volume.
///
/// # Errors
/// The directory cannot be created or read.
pub(super) fn load(directory: &Path) -> io::Result<Vec<VolumeConfiguration>> {
    fs::create_dir_all(directory)?;
    let mut volumes = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if whole::is_leftover(&name) {
            whole::remove(&entry.path());
        } else if is_volume_name(&name) && entry.file_type()?.is_dir() {
            match read(directory, &name) {
                Ok(volume) => volumes.push(volume),
                // The disk may be all that somebody has: it is neither used nor touched.
                Err(error) => tracing::error!(name, %error, "left a damaged volume alone"),
            }
        }
    }
    Ok(volumes)
}

fn read(directory: &Path, name: &str) -> io::Result<VolumeConfiguration> {
    let text = fs::read(directory.join(name).join(ENTITY_FILE))?;
    let volume: VolumeConfiguration = serde_json::from_slice(&text)?;
    if volume.name != name {
        let text = format!("it belongs to volume {:?}", volume.name);
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let source = source(directory, name, &volume.format);
    fs::metadata(&source)?;
    // The application root may have been moved.
    Ok(VolumeConfiguration {
        source: source.display().to_string(),
        ..volume
    })
}

/// Makes the disk of a volume and writes down what it is.
///
/// # Errors
/// The disk cannot be formatted or written; nothing is left behind then.
pub(super) fn write(
    directory: &Path,
    volume: &VolumeConfiguration,
    options: &VolumeOptions,
) -> Result<(), Error> {
    let ingest = whole::ingest_path(directory);
    let write = || -> io::Result<()> {
        fs::create_dir(&ingest)?;
        match options {
            VolumeOptions::Shared => fs::create_dir(ingest.join(DATA_DIRECTORY))?,
            VolumeOptions::Disk(options) => {
                let disk = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .open(ingest.join(DISK_FILE))?;
                format(&disk, options).map_err(io::Error::other)?;
                disk.sync_all()?;
            }
        }
        let mut entity = File::create(ingest.join(ENTITY_FILE))?;
        entity.write_all(&serde_json::to_vec(volume)?)?;
        entity.sync_all()?;
        fs::rename(&ingest, directory.join(&volume.name))?;
        File::open(directory)?.sync_all()
    };
    write().map_err(|error| {
        let _ = fs::remove_dir_all(&ingest);
        Error::internal(format!("failed to create volume '{}': {error}", volume.name))
    })
}

fn format(disk: &File, options: &DiskOptions) -> container_ext4::Result<()> {
    let journal = container_ext4::Journal {
        mode: options.journal.mode,
        size: options.journal.size,
    };
    // No lost+found: programs that want an empty directory, such as databases, get one.
    let options = container_ext4::Options {
        journal: Some(journal),
        ..container_ext4::Options::new(options.size)
    };
    container_ext4::format(disk, &options).map(|_| ())
}
