//! Changes as a list.

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::walk::{Found, Kind, Sink};

/// Writes a record for every change.
pub(super) struct List<W>(W);

impl<W: Write> List<W> {
    pub(super) fn new(to: W) -> Self {
        Self(to)
    }

    fn record(&mut self, kind: Kind, path: &Path) -> io::Result<()> {
        let letter = match kind {
            Kind::Added => b"A ",
            Kind::Changed => b"C ",
            Kind::Deleted => b"D ",
        };
        self.0.write_all(letter)?;
        self.0.write_all(path.as_os_str().as_bytes())?;
        self.0.write_all(&[0])
    }
}

impl<W: Write> Sink for List<W> {
    fn enter(&mut self, _: Found<'_>, _: bool) -> io::Result<()> {
        Ok(())
    }

    fn leave(&mut self, path: &Path, kind: Option<Kind>) -> io::Result<()> {
        kind.map_or(Ok(()), |kind| self.record(kind, path))
    }

    fn file(&mut self, file: Found<'_>, kind: Kind) -> io::Result<()> {
        self.record(kind, file.path)
    }

    fn deleted(&mut self, path: &Path, _: bool) -> io::Result<()> {
        self.record(Kind::Deleted, path)
    }
}
