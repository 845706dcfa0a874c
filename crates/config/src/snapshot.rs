//! The copy of the user's configuration file that services read. It changes only at `system start`.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, process};

use crate::layers::{self, Error};

/// Where the copy is.
pub(crate) fn path(app_root: &Path) -> PathBuf {
    app_root.join("config/config.toml")
}

/// Copies the user's file at `source` to the application root, read-only and in one step. A missing source leaves an
/// earlier copy alone.
///
/// # Errors
/// The source is unreadable or is not TOML (so that a typing error shows at once, not in a service's log), or the
/// copy cannot be written.
pub fn publish_user_file(source: &Path, app_root: &Path) -> Result<(), Error> {
    if layers::read(source)?.is_none() {
        return Ok(());
    }
    let target = path(app_root);
    replace(source, &target).map_err(|error| Error::Load {
        path: target,
        reason: error.to_string(),
    })
}

fn replace(source: &Path, target: &Path) -> io::Result<()> {
    let text = fs::read(source)?;
    let directory = target.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let temporary = directory.join(format!(".config.toml.{}", process::id()));
    // A read-only file left by a killed predecessor cannot be opened for writing.
    let _ = fs::remove_file(&temporary);
    let mut file = fs::File::create_new(&temporary)?;
    let written = file
        .write_all(&text)
        .and_then(|()| file.set_permissions(fs::Permissions::from_mode(0o444)))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, target));
    written.inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_read_only_and_survives_its_source() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let (source, app) = (directory.path().join("config.toml"), directory.path().join("app"));
        assert!(publish_user_file(&source, &app).is_ok());
        assert!(!path(&app).exists());
        for cpus in [1, 2] {
            fs::write(&source, format!("[container]\ncpus = {cpus}\n"))?;
            assert!(publish_user_file(&source, &app).is_ok());
            assert_eq!(fs::read(path(&app))?, fs::read(&source)?);
            assert_eq!(fs::metadata(path(&app))?.permissions().mode() & 0o777, 0o444);
        }
        fs::write(&source, "not toml")?;
        assert!(publish_user_file(&source, &app).is_err());
        assert_eq!(fs::read_to_string(path(&app))?, "[container]\ncpus = 2\n");
        assert_eq!(fs::read_dir(app.join("config"))?.count(), 1);
        Ok(())
    }
}
