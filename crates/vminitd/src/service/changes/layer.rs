//! Changes as a layer (OCI image specification, "Image Layer Filesystem Changeset").

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::walk::{Found, Kind, Sink};
use crate::rooted::path_of;
use crate::service::archive::Exactly;

/// What the name of an entry begins with that says that the image's file of the rest of the name is gone.
const WHITEOUT: &[u8] = b".wh.";
/// The entry that says that nothing of the image is left in its directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Bits of a mode that an archive has.
const MODE_BITS: u32 = 0o7777;
/// Bytes of a name or of a link's target that fit into a header.
const NAME_SIZE: usize = 100;

/// Writes the archive.
pub(super) struct Layer<W: Write> {
    archive: Builder<W>,
    /// The first names of files that have several.
    linked: HashMap<u64, PathBuf>,
}

impl<W: Write> Layer<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            archive: Builder::new(to),
            linked: HashMap::new(),
        }
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<()> {
        self.archive.into_inner().map(drop)
    }

    /// Adds an entry; `path` is absolute and loses its slash.
    fn append(
        &mut self,
        path: &[u8],
        mut header: Header,
        target: Option<&[u8]>,
        mut extensions: Vec<(String, Vec<u8>)>,
        data: impl io::Read,
    ) -> io::Result<()> {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let fields = header.as_ustar_mut().ok_or(io::ErrorKind::InvalidData)?;
        if !put(&mut fields.name, path) {
            extensions.push(("path".to_owned(), path.to_owned()));
        }
        if let Some(target) = target
            && !put(&mut fields.linkname, target)
        {
            extensions.push(("linkpath".to_owned(), target.to_owned()));
        }
        header.set_cksum();
        if !extensions.is_empty() {
            let pairs = extensions
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_slice()));
            self.archive.append_pax_extensions(pairs)?;
        }
        self.archive.append(&header, data)
    }

    fn marker(&mut self, path: &[u8]) -> io::Result<()> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        self.append(path, header, None, Vec::new(), io::empty())
    }
}

impl<W: Write> Sink for &mut Layer<W> {
    fn enter(&mut self, directory: Found<'_>, opaque: bool) -> io::Result<()> {
        let mut path = directory.path.as_os_str().as_bytes().to_owned();
        path.push(b'/');
        let header = header(EntryType::Directory, directory.stat);
        self.append(&path, header, None, attributes(directory)?, io::empty())?;
        if opaque {
            path.extend_from_slice(OPAQUE);
            self.marker(&path)?;
        }
        Ok(())
    }

    fn leave(&mut self, _: &Path, _: Option<Kind>) -> io::Result<()> {
        Ok(())
    }

    fn file(&mut self, file: Found<'_>, _: Kind) -> io::Result<()> {
        let path = file.path.as_os_str().as_bytes();
        if file.name.to_bytes().starts_with(WHITEOUT) {
            let text = format!(
                "{} has a name that layers have a meaning for",
                file.path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        if file.stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&file.stat.st_ino) {
                let target = first.as_os_str().as_bytes().to_owned();
                let target = target.strip_prefix(b"/").unwrap_or(&target);
                let header = header(EntryType::Link, file.stat);
                return self.append(path, header, Some(target), Vec::new(), io::empty());
            }
            self.linked.insert(file.stat.st_ino, file.path.to_owned());
        }
        let attributes = attributes(file)?;
        match FileType::from_raw_mode(file.stat.st_mode) {
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let content = rustix::fs::openat(file.parent, file.name, flags, Mode::empty())?;
                let left = file.stat.st_size as u64;
                let mut header = header(EntryType::Regular, file.stat);
                header.set_size(left);
                let content = Exactly {
                    file: File::from(content),
                    left,
                };
                self.append(path, header, None, attributes, content)
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(file.parent, file.name, Vec::new())?;
                let header = header(EntryType::Symlink, file.stat);
                self.append(path, header, Some(target.to_bytes()), attributes, io::empty())
            }
            FileType::Fifo => {
                let header = header(EntryType::Fifo, file.stat);
                self.append(path, header, None, attributes, io::empty())
            }
            kind @ (FileType::CharacterDevice | FileType::BlockDevice) => {
                let entry = match kind {
                    FileType::BlockDevice => EntryType::Block,
                    _ => EntryType::Char,
                };
                let mut header = header(entry, file.stat);
                header.set_device_major(rustix::fs::major(file.stat.st_rdev))?;
                header.set_device_minor(rustix::fs::minor(file.stat.st_rdev))?;
                self.append(path, header, None, attributes, io::empty())
            }
            // A socket is nothing without its server.
            _ => Ok(()),
        }
    }

    fn deleted(&mut self, path: &Path, hidden: bool) -> io::Result<()> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        if hidden {
            return Ok(());
        }
        let name = [WHITEOUT, name.as_bytes()].concat();
        let path = parent.join(std::ffi::OsStr::from_bytes(&name));
        self.marker(path.as_os_str().as_bytes())
    }
}

fn put(field: &mut [u8; NAME_SIZE], value: &[u8]) -> bool {
    let length = value.len().min(NAME_SIZE);
    field[..length].copy_from_slice(&value[..length]);
    length == value.len()
}

fn header(kind: EntryType, stat: &Stat) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & MODE_BITS);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

/// The extended attributes that belong to the file rather than to the system that it is on.
fn attributes(file: Found<'_>) -> io::Result<Vec<(String, Vec<u8>)>> {
    let path = Path::new(&path_of(file.parent)).join(std::ffi::OsStr::from_bytes(file.name.to_bytes()));
    let names = match read(|buffer| rustix::fs::llistxattr(&path, buffer)) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        names => names?,
    };
    let mut attributes = Vec::new();
    for name in names.split_inclusive(|byte| *byte == 0) {
        let Ok(name) = CStr::from_bytes_with_nul(name) else {
            continue;
        };
        let Some(text) = name.to_str().ok().filter(|name| belongs(name)) else {
            continue;
        };
        let name = CString::from(name);
        match read(|buffer| rustix::fs::lgetxattr(&path, &name, buffer)) {
            Err(Errno::NODATA) => {}
            value => attributes.push((format!("SCHILY.xattr.{text}"), value?)),
        }
    }
    Ok(attributes)
}

fn belongs(name: &str) -> bool {
    name == "security.capability" || name.starts_with("user.") || name.starts_with("system.posix_acl_")
}

/// Reads something whose size is not known beforehand.
fn read(mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    loop {
        let size = call(&mut [])?;
        let mut buffer = vec![0; size];
        match call(&mut buffer) {
            Err(Errno::RANGE) => {}
            read => {
                buffer.truncate(read?);
                return Ok(buffer);
            }
        }
    }
}
