//! From an archive to a tree.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dev, FileType, Gid, Mode, OFlags, Uid, XattrFlags};
use rustix::io::Errno;
use tar::{Archive, Entry, EntryType};

use crate::rooted::{Root, path_of};
use crate::service::archive::{inside, narrow, set_modified};
use crate::service::tarball::{ATTRIBUTE, belongs};

/// Bits of a mode that an archive has.
const MODE_BITS: u32 = 0o7777;

/// Makes everything in an archive at `path`, after dropping `strip` components of each name: an entry that has no more
/// is `path` itself. Missing parents are made. What is in the way of a file is replaced, unless it is a directory.
pub(in crate::service) fn unpack(root: &Root, path: &Path, strip: u32, from: impl Read) -> io::Result<()> {
    let mut archive = Archive::new(from);
    let mut unpacking = Unpacking {
        root,
        path,
        strip: strip as usize,
        directories: Vec::new(),
    };
    for entry in archive.entries()? {
        unpacking.one(&mut entry?)?;
    }
    unpacking.finish()?;
    // What comes behind the end of the archive is read, so that who sends it does not find nobody there.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

struct Unpacking<'a> {
    root: &'a Root,
    path: &'a Path,
    strip: usize,
    /// When directories were changed last, which making their entries changes.
    directories: Vec<(PathBuf, u64)>,
}

struct Metadata {
    owner: (Uid, Gid),
    mode: Mode,
    modified: u64,
    attributes: Vec<(String, Vec<u8>)>,
}

impl Unpacking<'_> {
    fn one(&mut self, entry: &mut Entry<'_, impl Read>) -> io::Result<()> {
        let Some(place) = self.place(&entry.path()?) else {
            return Ok(());
        };
        let metadata = Metadata::of(entry)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() {
            let made = self.root.create_dir_all(&place, Mode::from_raw_mode(0o755))?;
            // A descriptor that only refers to a directory cannot change it; its path can.
            let made = path_of(&made);
            rustix::fs::chown(&made, Some(metadata.owner.0), Some(metadata.owner.1))?;
            rustix::fs::chmod(&made, metadata.mode)?;
            metadata.set_attributes(&made)?;
            self.directories.push((place, metadata.modified));
            return Ok(());
        }
        let (parent, name) = self.root.parent_of(&place)?;
        let in_place = match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => false,
            // A file that is mounted can be written, not replaced.
            Err(Errno::BUSY) => true,
            Err(error) => {
                let text = format!("{}: {error}", place.display());
                return Err(io::Error::new(io::Error::from(error).kind(), text));
            }
        };
        let no_target = || io::Error::new(io::ErrorKind::InvalidData, "link without a target");
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let create = if in_place {
                    OFlags::TRUNC
                } else {
                    OFlags::CREATE | OFlags::EXCL
                };
                let flags = OFlags::WRONLY | create | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&parent, name, flags, Mode::from_raw_mode(0o600))?;
                let mut file = File::from(file);
                io::copy(entry, &mut file)?;
                rustix::fs::fchown(&file, Some(metadata.owner.0), Some(metadata.owner.1))?;
                rustix::fs::fchmod(&file, metadata.mode)?;
                metadata.set_attributes(&path_of(&file))?;
                set_modified(file.as_fd(), metadata.modified)
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or_else(no_target)?;
                rustix::fs::symlinkat(target.as_ref(), &parent, name)?;
                metadata.own(&parent, name)
            }
            EntryType::Link => {
                let target = self.place(&entry.link_name()?.ok_or_else(no_target)?);
                let target = target.ok_or_else(no_target)?;
                let (target_parent, target_name) = self.root.parent_of(&target)?;
                let flags = AtFlags::empty();
                Ok(rustix::fs::linkat(
                    target_parent,
                    target_name,
                    &parent,
                    name,
                    flags,
                )?)
            }
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                let (kind, device) = special(entry)?;
                rustix::fs::mknodat(&parent, name, kind, metadata.mode, device)?;
                metadata.own(&parent, name)?;
                // The mode above lost what the umask takes.
                Ok(rustix::fs::chmodat(
                    &parent,
                    name,
                    metadata.mode,
                    AtFlags::empty(),
                )?)
            }
            _ => Ok(()),
        }
    }

    /// Where an entry goes; `None` for what is above everything that is kept.
    fn place(&self, name: &Path) -> Option<PathBuf> {
        let name = inside(name)?;
        let mut components = name.components();
        for _ in 0..self.strip {
            components.next()?;
        }
        let rest = components.as_path();
        Some(if rest.as_os_str().is_empty() {
            self.path.to_owned()
        } else {
            self.path.join(rest)
        })
    }

    fn finish(self) -> io::Result<()> {
        for (directory, modified) in self.directories.iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            // An entry that came later may have taken its place.
            if let Ok(directory) = self.root.open_at(directory, flags, Mode::empty()) {
                set_modified(directory, *modified)?;
            }
        }
        Ok(())
    }
}

impl Metadata {
    fn of(entry: &mut Entry<'_, impl Read>) -> io::Result<Self> {
        let mut attributes = Vec::new();
        for extension in entry.pax_extensions()?.into_iter().flatten() {
            let extension = extension?;
            let name = extension.key().ok().and_then(|key| key.strip_prefix(ATTRIBUTE));
            if let Some(name) = name.filter(|name| belongs(name)) {
                attributes.push((name.to_owned(), extension.value_bytes().to_owned()));
            }
        }
        let header = entry.header();
        Ok(Self {
            owner: (
                Uid::from_raw(narrow(header.uid()?)?),
                Gid::from_raw(narrow(header.gid()?)?),
            ),
            mode: Mode::from_raw_mode(header.mode()? & MODE_BITS),
            modified: header.mtime()?,
            attributes,
        })
    }

    fn own(&self, parent: &OwnedFd, name: &std::ffi::OsStr) -> io::Result<()> {
        let (user, group) = self.owner;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::chownat(parent, name, Some(user), Some(group), flags)?)
    }

    /// Sets attributes, where the file system has any.
    fn set_attributes(&self, path: &str) -> io::Result<()> {
        for (name, value) in &self.attributes {
            match rustix::fs::setxattr(path, name.as_str(), value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::NOTSUP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn special(entry: &Entry<'_, impl Read>) -> io::Result<(FileType, Dev)> {
    let header = entry.header();
    let kind = match header.entry_type() {
        EntryType::Fifo => return Ok((FileType::Fifo, 0)),
        EntryType::Block => FileType::BlockDevice,
        _ => FileType::CharacterDevice,
    };
    let number = |number: Option<u32>| number.unwrap_or_default();
    let (major, minor) = (number(header.device_major()?), number(header.device_minor()?));
    Ok((kind, rustix::fs::makedev(major, minor)))
}
