//! Logins in a file that only its user can read, in a directory that only its user can enter.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use container_resource::time::{self, Timestamp};
use container_resource::{RegistryResource, Secret};
use serde::{Deserialize, Serialize};

use super::Secrets;
use crate::error::{IoContext, Result};
use crate::registry::RegistryError;
use crate::{Error, durable};

/// `<app root>/credentials.json`: `{ "<host>": { "username", "secret", "created", "modified" } }`, mode 0600.
#[derive(Debug)]
pub struct CredentialsFile {
    path: PathBuf,
    /// Held from reading to writing.
    changing: Mutex<()>,
}

/// One login.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    username: String,
    secret: Secret,
    created: Timestamp,
    modified: Timestamp,
}

type Entries = BTreeMap<String, Entry>;

impl CredentialsFile {
    /// The file below `app_root`. Nothing is read or written yet.
    pub fn new(app_root: &Path) -> Self {
        Self {
            path: app_root.join("credentials.json"),
            changing: Mutex::default(),
        }
    }

    fn read(&self) -> Result<Entries> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Entries::new()),
            Err(error) => return Err(error).context("failed to read", &self.path),
        };
        // The parser's own message could quote what it read.
        serde_json::from_slice(&bytes).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            let reason = format!("{} is damaged at {place}", self.path.display());
            Error::Registry(RegistryError::Secrets(reason))
        })
    }

    fn change(&self, change: impl FnOnce(&mut Entries) -> bool) -> Result<()> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.read()?;
        if !change(&mut entries) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&entries)
            .map_err(|error| Error::Registry(RegistryError::Secrets(error.to_string())))?;
        self.write(&text)
    }

    fn write(&self, text: &[u8]) -> Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory).context("failed to create", directory)?;
        close_to_others(directory)?;
        let temporary = directory.join(".credentials.json.partial");
        // What a crash left there may be readable by others.
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).context("failed to remove", temporary);
            }
            _ => {}
        }
        let written = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(text).and_then(|()| file.sync_all()))
            .context("failed to write", &temporary)
            .and_then(|()| durable::rename(&temporary, &self.path));
        if written.is_err() {
            // The first failure is the one to report.
            let _ = fs::remove_file(&temporary);
        }
        written
    }
}

/// Takes the rights of everybody else away from a directory.
fn close_to_others(directory: &Path) -> Result<()> {
    let mode = fs::metadata(directory)
        .context("failed to read", directory)?
        .permissions()
        .mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(directory, Permissions::from_mode(mode & 0o700))
        .context("failed to change the mode of", directory)
}

impl Secrets for CredentialsFile {
    fn set(&self, host: &str, user: &str, secret: &Secret) -> Result<()> {
        self.change(|entries| {
            let now = time::now();
            let created = entries.get(host).map_or(now, |entry| entry.created);
            let entry = Entry {
                username: user.to_owned(),
                secret: secret.clone(),
                created,
                modified: now,
            };
            entries.insert(host.to_owned(), entry);
            true
        })
    }

    fn get(&self, host: &str) -> Result<Option<(String, Secret)>> {
        let entry = self.read()?.remove(host);
        Ok(entry.map(|entry| (entry.username, entry.secret)))
    }

    fn remove(&self, host: &str) -> Result<()> {
        self.change(|entries| entries.remove(host).is_some())
    }

    fn list(&self) -> Result<Vec<RegistryResource>> {
        let entries = self.read()?.into_iter();
        Ok(entries
            .map(|(host, entry)| RegistryResource::new(host, entry.username, entry.created, entry.modified))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn logins_are_kept_for_their_user_alone() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        fs::write(root.join(".credentials.json.partial"), "left by a crash").unwrap();
        let file = CredentialsFile::new(&root);
        assert_eq!(file.list().unwrap(), []);
        file.remove("a.test").unwrap();
        assert!(!root.join("credentials.json").exists(), "nothing to write");

        file.set("b.test:5000", "me", &"one".into()).unwrap();
        file.set("a.test", "you", &"two".into()).unwrap();
        assert_eq!(mode(&root), 0o700);
        assert_eq!(mode(&root.join("credentials.json")), 0o600);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1);
        let first = file.list().unwrap();
        let hosts: Vec<&str> = first.iter().map(|login| login.id.as_str()).collect();
        assert_eq!(hosts, ["a.test", "b.test:5000"]);

        file.set("b.test:5000", "other", &"three".into()).unwrap();
        let reopened = CredentialsFile::new(&root);
        let found = reopened.get("b.test:5000").unwrap().unwrap();
        assert_eq!((found.0.as_str(), found.1.expose()), ("other", "three"));
        assert_eq!(reopened.list().unwrap()[1].creation_date, first[1].creation_date);
        assert_eq!(
            reopened.get("b.test").unwrap(),
            None,
            "the port belongs to the name"
        );
        reopened.remove("b.test:5000").unwrap();
        assert_eq!(reopened.get("b.test:5000").unwrap(), None);
        assert_eq!(reopened.list().unwrap().len(), 1);
    }

    #[test]
    fn a_damaged_file_is_neither_quoted_nor_replaced() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("credentials.json");
        fs::write(&path, r#"{"a.test": {"username": "me", "secret": ["hunter2"]}}"#).unwrap();
        let file = CredentialsFile::new(root.path());
        for error in [
            file.list().unwrap_err().to_string(),
            file.set("b.test", "me", &"x".into()).unwrap_err().to_string(),
        ] {
            assert!(error.contains("credentials.json is damaged at line 1"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(fs::read_to_string(&path).unwrap().contains("hunter2"));
    }
}
