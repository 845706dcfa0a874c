//! Files as entries of an archive that keep everything they have.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use crate::rooted::path_of;
use crate::service::archive::Exactly;

/// What the key of an extended attribute begins with in an archive.
pub(super) const ATTRIBUTE: &str = "SCHILY.xattr.";
/// Bits of a mode that an archive has.
const MODE_BITS: u32 = 0o7777;
/// Bytes of an attribute, or of the names of all, at most.
const ATTRIBUTE_SIZE: usize = 64 << 10;
/// Bytes of a name or of a link's target that fit into a header.
const NAME_SIZE: usize = 100;

/// An archive that is being written.
pub(super) struct Tarball<W: Write> {
    archive: Builder<W>,
    /// The first names of files that have several, by device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl<W: Write> Tarball<W> {
    pub(super) fn new(to: W) -> Self {
        Self {
            archive: Builder::new(to),
            linked: HashMap::new(),
        }
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> io::Result<()> {
        self.archive.into_inner()?.flush()
    }

    /// Adds `name` of the directory `parent` under `path`. A socket is nothing without its server and is left out.
    pub(super) fn add(&mut self, path: &[u8], parent: &OwnedFd, name: &CStr, stat: &Stat) -> io::Result<()> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink > 1 && kind != FileType::Directory {
            if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
                let target = first.clone();
                let header = header(EntryType::Link, stat);
                return self.append(path, header, Some(&target), Vec::new(), io::empty());
            }
            self.linked.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        let attributes = attributes(parent, name)?;
        match kind {
            FileType::Directory => {
                let path = [path, b"/"].concat();
                self.append(
                    &path,
                    header(EntryType::Directory, stat),
                    None,
                    attributes,
                    io::empty(),
                )
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
                let left = stat.st_size as u64;
                let mut header = header(EntryType::Regular, stat);
                header.set_size(left);
                self.append(path, header, None, attributes, Exactly { file, left })
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(parent, name, Vec::new())?;
                let header = header(EntryType::Symlink, stat);
                self.append(path, header, Some(target.to_bytes()), attributes, io::empty())
            }
            FileType::Fifo => self.append(path, header(EntryType::Fifo, stat), None, attributes, io::empty()),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let entry = match kind {
                    FileType::BlockDevice => EntryType::Block,
                    _ => EntryType::Char,
                };
                let mut header = header(entry, stat);
                header.set_device_major(rustix::fs::major(stat.st_rdev))?;
                header.set_device_minor(rustix::fs::minor(stat.st_rdev))?;
                self.append(path, header, None, attributes, io::empty())
            }
            _ => Ok(()),
        }
    }

    /// Adds an entry.
    pub(super) fn append(
        &mut self,
        path: &[u8],
        mut header: Header,
        target: Option<&[u8]>,
        mut extensions: Vec<(String, Vec<u8>)>,
        data: impl io::Read,
    ) -> io::Result<()> {
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
}

fn put(field: &mut [u8; NAME_SIZE], value: &[u8]) -> bool {
    let length = value.len().min(NAME_SIZE);
    field[..length].copy_from_slice(&value[..length]);
    length == value.len()
}

/// A header with what is known of a file, of no size.
pub(super) fn header(kind: EntryType, stat: &Stat) -> Header {
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
fn attributes(parent: &OwnedFd, name: &CStr) -> io::Result<Vec<(String, Vec<u8>)>> {
    let path = Path::new(&path_of(parent)).join(OsStr::from_bytes(name.to_bytes()));
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
            value => attributes.push((format!("{ATTRIBUTE}{text}"), value?)),
        }
    }
    Ok(attributes)
}

/// Whether an attribute belongs to a file.
pub(super) fn belongs(name: &str) -> bool {
    name == "security.capability" || name.starts_with("user.") || name.starts_with("system.posix_acl_")
}

/// Reads something whose size is not known beforehand; the kernel has nothing larger than 64 KiB.
fn read(mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 1024];
    loop {
        match call(&mut buffer) {
            Err(Errno::RANGE) if buffer.len() < ATTRIBUTE_SIZE => buffer.resize(ATTRIBUTE_SIZE, 0),
            read => {
                buffer.truncate(read?);
                return Ok(buffer);
            }
        }
    }
}
