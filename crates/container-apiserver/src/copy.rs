//! Giving a file a second name, or a copy.

use std::path::Path;
use std::{fs, io};

/// Makes `target` the same file as `source`, which nobody writes to any more; a copy where that is not possible, as
/// across file systems.
///
/// # Errors
/// The source cannot be read or the target not be written.
pub(crate) fn link(source: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(source, target) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(named(source, &error)),
        Err(_) => duplicate(source, target),
    }
}

/// Copies `source` to `target`, sharing its blocks where the file system can.
///
/// # Errors
/// The source cannot be read or the target not be written; a part of a target is removed.
pub(crate) fn duplicate(source: &Path, target: &Path) -> io::Result<()> {
    fs::copy(source, target).map(|_| ()).map_err(|error| {
        let _ = fs::remove_file(target);
        named(source, &error)
    })
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn links_are_one_file_and_copies_are_two() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        fs::write(at("source"), "text")?;
        link(&at("source"), &at("link"))?;
        duplicate(&at("source"), &at("copy"))?;
        assert_eq!(fs::metadata(at("source"))?.ino(), fs::metadata(at("link"))?.ino());
        assert_ne!(fs::metadata(at("source"))?.ino(), fs::metadata(at("copy"))?.ino());
        assert_eq!(fs::read_to_string(at("copy"))?, "text");
        Ok(())
    }

    #[test]
    fn errors_name_the_file() {
        let error = link(Path::new("/nonexistent"), Path::new("/tmp/x")).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.starts_with("/nonexistent: ")));
    }
}
