//! From a tree to an archive.

use std::ffi::{CStr, CString, OsStr};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::rooted::Root;
use crate::service::tarball::Tarball;

/// How deep directories may be nested; a container can nest them deeper than any path can name.
const MAX_DEPTH: usize = 500;
/// How many symbolic links may follow each other, as for the kernel.
const MAX_LINKS: usize = 40;

/// File systems that have files rather than things of the kernel, by the number that `statfs` gives: those of disks and
/// images, overlays, memory, and the host's directories. Others are not entered from outside.
const ENTERED: [u64; 5] = [0xef53, 0xe0f5_e1e2, 0x794c_7630, 0x0102_1994, 0x6573_5546];

/// Writes what is at `path`, a link at its end followed, and everything below it. Entries are called `name` and have that
/// before them; with an empty name a directory's entries are called as they are in it. `one_file_system`: mounts below
/// are empty directories.
pub(in crate::service) fn pack(
    root: &Root,
    path: &Path,
    name: &str,
    one_file_system: bool,
    to: impl Write,
) -> io::Result<()> {
    let (parent, entry) = place(root, path)?;
    let stat = rustix::fs::statat(&parent, &entry, AtFlags::SYMLINK_NOFOLLOW)?;
    let mut walk = Walk {
        tarball: Tarball::new(to),
        one_file_system,
    };
    if !name.is_empty() {
        walk.tarball.add(name.as_bytes(), &parent, &entry, &stat)?;
    }
    if FileType::from_raw_mode(stat.st_mode).is_dir() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&parent, &entry, flags, Mode::empty())?;
        walk.below(directory, &stat, name.as_bytes(), 0)?;
    }
    walk.tarball.finish()
}

/// The directory that a path's last component is in, and that component. It is no link.
fn place(root: &Root, path: &Path) -> io::Result<(OwnedFd, CString)> {
    let found = root.locate(path)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode).is_dir() {
        return Ok((found, c".".to_owned()));
    }
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let name = CString::new(name.as_bytes())?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        let parent = root.open_at(directory, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !FileType::from_raw_mode(stat.st_mode).is_symlink() {
            return Ok((parent, name));
        }
        let target = rustix::fs::readlinkat(&parent, &name, Vec::new())?;
        path = directory.join(PathBuf::from(std::ffi::OsString::from_vec(target.into_bytes())));
    }
    Err(rustix::io::Errno::LOOP.into())
}

struct Walk<W: Write> {
    tarball: Tarball<W>,
    one_file_system: bool,
}

impl<W: Write> Walk<W> {
    fn below(&mut self, directory: OwnedFd, own: &Stat, path: &[u8], depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            let text = format!(
                "directories are nested too deep in {}",
                OsStr::from_bytes(path).display()
            );
            return Err(io::Error::other(text));
        }
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let path = match path {
                b"" => name.to_bytes().to_owned(),
                path => [path, b"/", name.to_bytes()].concat(),
            };
            match self.one(&directory, own, name, &path, depth) {
                // It was there a moment ago: trees of running containers change.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn one(
        &mut self,
        parent: &OwnedFd,
        directory: &Stat,
        name: &CStr,
        path: &[u8],
        depth: usize,
    ) -> io::Result<()> {
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !FileType::from_raw_mode(stat.st_mode).is_dir() {
            return self.tarball.add(path, parent, name, &stat);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let below = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        self.tarball.add(path, parent, name, &stat)?;
        if stat.st_dev == directory.st_dev || (!self.one_file_system && is_entered(&below)?) {
            self.below(below, &stat, path, depth + 1)?;
        }
        Ok(())
    }
}

fn is_entered(directory: &OwnedFd) -> io::Result<bool> {
    let kind = rustix::fs::fstatfs(directory)?.f_type;
    Ok(ENTERED.contains(&(kind as u64)))
}
