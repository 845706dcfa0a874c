//! Files below a directory that whoever wrote its contents cannot get out of.
//!
//! A container may have left any symbolic link anywhere in its root file system. Every path here is
//! resolved by the kernel as if that directory were the root, whatever links it meets on the way.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// What to make of a path that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// An empty file.
    File,
}

/// A directory that paths are resolved below.
#[derive(Debug)]
pub(crate) struct Root(OwnedFd);

impl Root {
    /// Opens the directory.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens a path, absolute or relative, below the directory.
    pub(crate) fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            // The kernel gives up with `EAGAIN` when something was renamed under its feet.
            match rustix::fs::openat2(&self.0, path, flags | OFlags::CLOEXEC, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    /// Refers to a path without opening what is there; the last link is followed.
    pub(crate) fn locate(&self, path: &Path) -> io::Result<OwnedFd> {
        self.open_at(path, OFlags::PATH, Mode::empty())
    }

    /// Reads a whole file; `None` when there is none.
    pub(crate) fn read(&self, path: &Path) -> io::Result<Option<String>> {
        match self.open_at(path, OFlags::RDONLY, Mode::empty()) {
            Ok(file) => {
                let mut bytes = Vec::new();
                File::from(file).read_to_end(&mut bytes)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a directory and its parents where they are missing, and refers to it.
    pub(crate) fn create_dir_all(&self, path: &Path, mode: Mode) -> io::Result<OwnedFd> {
        let directory = OFlags::PATH | OFlags::DIRECTORY;
        match self.open_at(path, directory, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let mut reached = PathBuf::new();
        let mut parent = self.open_at(Path::new("."), directory, Mode::empty())?;
        for component in path.components() {
            if matches!(component, Component::RootDir | Component::CurDir) {
                continue;
            }
            reached.push(component);
            parent = match self.open_at(&reached, directory, Mode::empty()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    match rustix::fs::mkdirat(&parent, component.as_os_str(), mode) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    self.open_at(&reached, directory, Mode::empty())?
                }
                result => result?,
            };
        }
        Ok(parent)
    }

    /// Refers to a mount point, made with its parents when it is missing.
    pub(crate) fn mount_point(&self, path: &Path, node: Node) -> io::Result<OwnedFd> {
        match self.locate(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        if node == Node::Directory {
            return self.create_dir_all(path, Mode::from_raw_mode(0o755));
        }
        let (parent, _) = self.parent_of(path)?;
        drop(parent);
        drop(self.open_at(path, OFlags::WRONLY | OFlags::CREATE, Mode::from_raw_mode(0o644))?);
        self.locate(path)
    }

    /// The directory that a path's last component is in, made when it is missing, and that component.
    pub(crate) fn parent_of<'a>(&self, path: &'a Path) -> io::Result<(OwnedFd, &'a std::ffi::OsStr)> {
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.create_dir_all(parent, Mode::from_raw_mode(0o755))?, name))
    }

    /// Replaces whatever a path is, unless it is a directory, by a file.
    pub(crate) fn replace(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        use std::io::Write;
        let (parent, name) = self.parent_of(path)?;
        match rustix::fs::unlinkat(&parent, name, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
        File::from(file).write_all(content)
    }

    /// Replaces whatever a path is, unless it is a directory, by a symbolic link.
    pub(crate) fn replace_with_link(&self, path: &Path, target: &str) -> io::Result<()> {
        let (parent, name) = self.parent_of(path)?;
        if rustix::fs::readlinkat(&parent, name, Vec::new())
            .is_ok_and(|found| found.as_bytes() == target.as_bytes())
        {
            return Ok(());
        }
        match rustix::fs::unlinkat(&parent, name, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(rustix::fs::symlinkat(target, parent, name)?)
    }
}

/// A path of an open descriptor, for calls that want one. Valid while the descriptor is open and `/proc`
/// is the one of the process's own namespace or of an outer one.
pub(crate) fn path_of(fd: impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::open(directory.path()).unwrap();
        (directory, root)
    }

    #[test]
    fn links_do_not_lead_out() {
        let (directory, root) = root();
        symlink("/../../../../tmp", directory.path().join("up")).unwrap();
        symlink("/etc", directory.path().join("absolute")).unwrap();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        std::fs::write(directory.path().join("etc/passwd"), "ours").unwrap();
        assert_eq!(
            root.read(Path::new("/absolute/passwd")).unwrap().as_deref(),
            Some("ours")
        );
        assert_eq!(
            root.read(Path::new("../../etc/passwd")).unwrap().as_deref(),
            Some("ours")
        );
        root.create_dir_all(Path::new("/tmp"), Mode::from_raw_mode(0o755))
            .unwrap();
        root.create_dir_all(Path::new("/up/a/b"), Mode::from_raw_mode(0o755))
            .unwrap();
        assert!(directory.path().join("tmp/a/b").is_dir());
    }

    #[test]
    fn a_missing_file_is_no_error() {
        let (_directory, root) = root();
        assert_eq!(root.read(Path::new("/etc/passwd")).unwrap(), None);
    }

    #[test]
    fn mount_points_are_made_as_asked() {
        let (directory, root) = root();
        root.mount_point(Path::new("/a/file"), Node::File).unwrap();
        root.mount_point(Path::new("/a/directory"), Node::Directory)
            .unwrap();
        assert!(directory.path().join("a/file").is_file());
        assert!(directory.path().join("a/directory").is_dir());
        // A second time they are found.
        root.mount_point(Path::new("/a/file"), Node::Directory).unwrap();
        assert!(directory.path().join("a/file").is_file());
    }

    #[test]
    fn replacing_does_not_follow_a_link() {
        let (directory, root) = root();
        std::fs::write(directory.path().join("outside"), "kept").unwrap();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        symlink("../outside", directory.path().join("etc/hosts")).unwrap();
        root.replace(Path::new("/etc/hosts"), b"new").unwrap();
        assert_eq!(
            std::fs::read_to_string(directory.path().join("outside")).unwrap(),
            "kept"
        );
        assert_eq!(
            std::fs::read_to_string(directory.path().join("etc/hosts")).unwrap(),
            "new"
        );
        root.replace_with_link(Path::new("/etc/hosts"), "elsewhere")
            .unwrap();
        root.replace_with_link(Path::new("/etc/hosts"), "elsewhere")
            .unwrap();
        assert_eq!(
            std::fs::read_link(directory.path().join("etc/hosts")).unwrap(),
            Path::new("elsewhere")
        );
    }
}
