//! Changes as a layer (OCI image specification, "Image Layer Filesystem Changeset").

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{EntryType, Header};

use super::walk::{Found, Kind, Sink};
use crate::service::tarball::Tarball;

/// What the name of an entry begins with that says that the image's file of the rest of the name is gone.
const WHITEOUT: &[u8] = b".wh.";
/// The entry that says that nothing of the image is left in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Writes the archive.
pub(super) struct Layer<W: Write>(Tarball<W>);

impl<W: Write> Layer<W> {
    pub(super) fn new(to: W) -> Self {
        Self(Tarball::new(to))
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.finish()
    }

    fn add(&mut self, found: Found<'_>) -> io::Result<()> {
        self.0
            .add(in_archive(found.path), found.parent, found.name, found.stat)
    }

    fn marker(&mut self, path: &Path) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        self.0
            .append(in_archive(path), header, None, Vec::new(), io::empty())
    }
}

/// An absolute path without its slash.
fn in_archive(path: &Path) -> &[u8] {
    let path = path.as_os_str().as_bytes();
    path.strip_prefix(b"/").unwrap_or(path)
}

impl<W: Write> Sink for &mut Layer<W> {
    fn enter(&mut self, directory: Found<'_>, opaque: bool) -> io::Result<()> {
        self.add(directory)?;
        if opaque {
            self.marker(&directory.path.join(OsStr::from_bytes(OPAQUE)))?;
        }
        Ok(())
    }

    fn leave(&mut self, _: &Path, _: Option<Kind>) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, file: Found<'_>, _: Kind) -> io::Result<()> {
        if file.name.to_bytes().starts_with(WHITEOUT) {
            let text = format!(
                "{} has a name that layers have a meaning for",
                file.path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        self.add(file)
    }

    fn deleted(&mut self, path: &Path, hidden: bool) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        if hidden {
            return Ok(());
        }
        let name = [WHITEOUT, name.as_bytes()].concat();
        self.marker(&parent.join(OsStr::from_bytes(&name)))
    }
}
