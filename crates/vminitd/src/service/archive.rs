//! Trees as tar archives compressed with gzip (behaviour.md 14.2).
//!
//! Permission bits and numeric owners travel, set-id bits do not; sockets, pipes and devices are left out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;
use tar::{Archive, Builder, EntryType, Header};

use crate::rooted::{Root, path_of};

/// Bits of a mode that travel.
const PERMISSIONS: u32 = 0o777;

/// Writes everything below a directory, and the directory itself as `./`.
pub(super) fn pack(directory: OwnedFd, to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(to, Compression::fast()));
    let stat = rustix::fs::fstat(&directory)?;
    archive.append_data(&mut header(EntryType::Directory, &stat, 0), "./", io::empty())?;
    pack_below(&mut archive, directory, Path::new("."))?;
    archive.into_inner()?.finish()?.flush()
}

fn pack_below(archive: &mut Builder<impl Write>, directory: OwnedFd, path: &Path) -> io::Result<()> {
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let path = path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
        match pack_one(archive, &directory, name, &path) {
            // It was there a moment ago: trees of running containers change.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}

fn pack_one(
    archive: &mut Builder<impl Write>,
    directory: &OwnedFd,
    name: &std::ffi::CStr,
    path: &Path,
) -> io::Result<()> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            let below = rustix::fs::openat(directory, name, flags | OFlags::DIRECTORY, Mode::empty())?;
            archive.append_data(&mut header(EntryType::Directory, &stat, 0), path, io::empty())?;
            pack_below(archive, below, path)
        }
        FileType::RegularFile => {
            let file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
            let size = stat.st_size as u64;
            archive.append_data(
                &mut header(EntryType::Regular, &stat, size),
                path,
                Exactly { file, left: size },
            )
        }
        FileType::Symlink => {
            let target = rustix::fs::readlinkat(directory, name, Vec::new())?;
            let target = PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes()));
            archive.append_link(&mut header(EntryType::Symlink, &stat, 0), path, target)
        }
        _ => Ok(()),
    }
}

fn header(kind: EntryType, stat: &Stat, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & PERMISSIONS);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(size);
    header
}

/// As many bytes as the header says, whatever happens to the file meanwhile.
pub(super) struct Exactly {
    /// The file.
    pub(super) file: File,
    /// Bytes that are still to come.
    pub(super) left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let amount = match self.file.read(&mut buffer[..most])? {
            0 => {
                buffer[..most].fill(0);
                most
            }
            amount => amount,
        };
        self.left -= amount as u64;
        Ok(amount)
    }
}

/// Makes everything in an archive below a directory, which is made when it is missing.
pub(super) fn unpack(root: &Root, directory: &Path, from: impl Read) -> io::Result<()> {
    root.create_dir_all(directory, Mode::from_raw_mode(0o755))?;
    let mut archive = Archive::new(MultiGzDecoder::new(from));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let Some(path) = inside(&entry.path()?) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "archive leads out of its directory",
            ));
        };
        unpack_one(root, directory, &path, &mut entry)?;
    }
    // What comes behind the end of the archive is read, so that who sends it does not find nobody there.
    io::copy(&mut archive.into_inner(), &mut io::sink())?;
    Ok(())
}

/// A path of an archive, without what does not lead anywhere; `None` for one that leads out.
pub(super) fn inside(path: &Path) -> Option<PathBuf> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => inside.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(inside)
}

fn unpack_one(
    root: &Root,
    directory: &Path,
    path: &Path,
    entry: &mut tar::Entry<'_, impl Read>,
) -> io::Result<()> {
    let header = entry.header();
    let kind = header.entry_type();
    let owner = (
        Uid::from_raw(narrow(header.uid()?)?),
        Gid::from_raw(narrow(header.gid()?)?),
    );
    let mode = Mode::from_raw_mode(header.mode()? & PERMISSIONS);
    let modified = header.mtime()?;
    let place = directory.join(path);
    if kind.is_dir() {
        let made = root.create_dir_all(&place, Mode::from_raw_mode(0o755))?;
        // A descriptor that only refers to a directory cannot change it; its path can.
        let made = path_of(&made);
        rustix::fs::chown(&made, Some(owner.0), Some(owner.1))?;
        return Ok(rustix::fs::chmod(&made, mode)?);
    }
    if !matches!(
        kind,
        EntryType::Regular | EntryType::Continuous | EntryType::Symlink | EntryType::Link
    ) {
        return Ok(());
    }
    let (parent, name) = root.parent_of(&place)?;
    match rustix::fs::unlinkat(&parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let no_target = || io::Error::new(io::ErrorKind::InvalidData, "link without a target");
    match kind {
        EntryType::Symlink => {
            let target = entry.link_name()?.ok_or_else(no_target)?;
            rustix::fs::symlinkat(target.as_ref(), &parent, name)?;
            Ok(rustix::fs::chownat(
                &parent,
                name,
                Some(owner.0),
                Some(owner.1),
                AtFlags::SYMLINK_NOFOLLOW,
            )?)
        }
        EntryType::Link => {
            let target = inside(&entry.link_name()?.ok_or_else(no_target)?).ok_or_else(no_target)?;
            let target = directory.join(target);
            let (target_parent, target_name) = root.parent_of(&target)?;
            Ok(rustix::fs::linkat(
                target_parent,
                target_name,
                &parent,
                name,
                AtFlags::empty(),
            )?)
        }
        _ => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mut file = File::from(rustix::fs::openat(
                &parent,
                name,
                flags,
                Mode::from_raw_mode(0o600),
            )?);
            io::copy(entry, &mut file)?;
            rustix::fs::fchown(&file, Some(owner.0), Some(owner.1))?;
            rustix::fs::fchmod(&file, mode)?;
            set_modified(file.as_fd(), modified)
        }
    }
}

/// Sets when a file was changed last, in seconds since 1970.
pub(super) fn set_modified(file: impl AsFd, seconds: u64) -> io::Result<()> {
    let last_access = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    };
    let last_modification = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(0),
        tv_nsec: 0,
    };
    Ok(rustix::fs::futimens(
        file,
        &Timestamps {
            last_access,
            last_modification,
        },
    )?)
}

/// A user or group number.
pub(super) fn narrow(id: u64) -> io::Result<u32> {
    u32::try_from(id).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "owner out of range"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn packed(directory: &Path) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(OwnedFd::from(File::open(directory).unwrap()), &mut bytes).unwrap();
        bytes
    }

    fn archive(build: impl FnOnce(&mut Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        build(&mut builder);
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn entry(
        builder: &mut Builder<impl Write>,
        kind: EntryType,
        path: &str,
        link: Option<&str>,
        data: &[u8],
    ) {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(rustix::process::getuid().as_raw().into());
        header.set_gid(rustix::process::getgid().as_raw().into());
        header.set_mtime(1);
        header.set_size(data.len() as u64);
        // Straight into the header: the library refuses to write what an enemy would.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(link) = link {
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }

    #[test]
    fn a_tree_survives_the_journey() {
        let from = tempfile::tempdir().unwrap();
        let long = "n".repeat(200);
        std::fs::create_dir_all(from.path().join("a/b")).unwrap();
        std::fs::write(from.path().join("a/b").join(&long), vec![7; 100_000]).unwrap();
        std::fs::write(from.path().join("run"), "#!").unwrap();
        std::fs::set_permissions(from.path().join("run"), std::fs::Permissions::from_mode(0o4755)).unwrap();
        symlink("/etc/passwd", from.path().join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            from.path().join("fifo"),
            FileType::Fifo,
            Mode::RUSR,
            0,
        )
        .unwrap();
        let to = tempfile::tempdir().unwrap();
        let root = Root::open(to.path()).unwrap();
        unpack(&root, Path::new("/x/y"), &packed(from.path())[..]).unwrap();
        let to = to.path().join("x/y");
        assert_eq!(
            std::fs::read(to.join("a/b").join(&long)).unwrap(),
            vec![7; 100_000]
        );
        assert_eq!(std::fs::metadata(to.join("run")).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(
            std::fs::read_link(to.join("link")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert!(!to.join("fifo").exists());
    }

    #[test]
    fn archives_cannot_leave_their_root() {
        let outer = tempfile::tempdir().unwrap();
        let directory = outer.path().join("root");
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(outer.path().join("secret"), "kept").unwrap();
        let root = Root::open(&directory).unwrap();
        let attempt = |bytes: Vec<u8>| unpack(&root, Path::new("/"), &bytes[..]);

        let parent = archive(|builder| entry(builder, EntryType::Regular, "../secret", None, b"gone"));
        assert_eq!(attempt(parent).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let hard_link = archive(|builder| entry(builder, EntryType::Link, "x", Some("../secret"), b""));
        assert!(attempt(hard_link).is_err());
        let through_a_link = archive(|builder| {
            entry(builder, EntryType::Symlink, "up", Some(".."), b"");
            entry(builder, EntryType::Regular, "up/secret", None, b"gone");
        });
        attempt(through_a_link).unwrap();
        let over_a_link = archive(|builder| {
            entry(builder, EntryType::Symlink, "file", Some("../secret"), b"");
            entry(builder, EntryType::Regular, "file", None, b"gone");
        });
        attempt(over_a_link).unwrap();
        assert_eq!(
            std::fs::read_to_string(outer.path().join("secret")).unwrap(),
            "kept"
        );
        assert_eq!(std::fs::read_to_string(directory.join("secret")).unwrap(), "gone");
        assert_eq!(std::fs::read_to_string(directory.join("file")).unwrap(), "gone");
    }

    #[test]
    fn a_truncated_archive_is_an_error() {
        let from = tempfile::tempdir().unwrap();
        std::fs::write(from.path().join("file"), vec![1; 10_000]).unwrap();
        let bytes = packed(from.path());
        let to = tempfile::tempdir().unwrap();
        let root = Root::open(to.path()).unwrap();
        assert!(unpack(&root, Path::new("/"), &bytes[..bytes.len() / 2]).is_err());
        assert!(unpack(&root, Path::new("/"), &b"no archive at all"[..]).is_err());
    }

    #[test]
    fn a_file_that_shrinks_keeps_its_announced_size() {
        let file = tempfile::tempfile().unwrap();
        let mut bytes = Vec::new();
        Exactly { file, left: 10 }.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 10]);
    }
}
