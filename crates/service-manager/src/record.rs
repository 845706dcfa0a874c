//! What is written down about a job that was started.

use std::io;
use std::path::{Path, PathBuf};

use container_ipc::LockFile;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::platform::{self, Process};

/// The process that a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) label: String,
    pub(crate) pid: i32,
    /// In the platform's own unit.
    start_time: u64,
    boot_id: String,
}

impl Record {
    /// The record of process `pid`; `None` when it has ended and been reaped already.
    pub(crate) fn of(label: &str, pid: i32) -> Option<Self> {
        let start_time = platform::start_time(pid)?;
        Some(Self {
            label: label.to_owned(),
            pid,
            start_time,
            boot_id: platform::boot_id(),
        })
    }

    /// The process, if it still runs.
    pub(crate) fn process(&self) -> Result<Option<Process>> {
        if self.boot_id != platform::boot_id() {
            return Ok(None);
        }
        Process::open(self.pid, self.start_time).map_err(|source| Error::Process {
            pid: self.pid,
            source,
        })
    }
}

/// The directory of the records.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    directory: PathBuf,
}

impl Records {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn file(&self, label: &str, extension: &str) -> PathBuf {
        let mut name = container_ipc::file_stem(label);
        name.push(".");
        name.push(extension);
        self.directory.join(name)
    }

    /// The right to change the record of `label`; `None` while somebody else has it.
    pub(crate) fn lock(&self, label: &str) -> Result<Option<LockFile>> {
        let path = self.file(label, "lock");
        LockFile::claim(&path).map_err(|source| Error::File { path, source })
    }

    /// What is written down about `label`. What cannot be understood was not written by this and means
    /// nothing.
    pub(crate) fn read(&self, label: &str) -> Result<Option<Record>> {
        read(&self.file(label, "job"))
    }

    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        let path = self.file(&record.label, "job");
        let new = self.file(&record.label, "new");
        let write = || {
            std::fs::write(&new, serde_json::to_vec(record)?)?;
            // Readers see either record as a whole.
            std::fs::rename(&new, &path)
        };
        write().map_err(|source| Error::File {
            path: path.clone(),
            source,
        })
    }

    /// Removes the record of `label` if it is still this one.
    pub(crate) fn remove(&self, record: &Record) -> Result<()> {
        let Some(_lock) = self.lock(&record.label)? else {
            // Whoever has it is about to replace the record or to remove it.
            return Ok(());
        };
        if self.read(&record.label)?.as_ref() != Some(record) {
            return Ok(());
        }
        let path = self.file(&record.label, "job");
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::File { path, source }),
            _ => Ok(()),
        }
    }

    /// Every record, in order of labels.
    pub(crate) fn all(&self) -> Result<Vec<Record>> {
        let failed = |source| Error::File {
            path: self.directory.clone(),
            source,
        };
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "job") {
                records.extend(read(&path)?);
            }
        }
        records.sort_by(|a, b| a.label.cmp(&b.label));
        Ok(records)
    }
}

fn read(path: &Path) -> Result<Option<Record>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: path.to_path_buf(),
            source,
        }),
    }
}
