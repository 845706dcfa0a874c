//! AnnounceChanges: tells watchers what was changed from outside. An addition to Apple's service.
//!
//! The kernel tells watchers (inotify, fanotify) what is done in this virtual machine. So what was done outside is done
//! here once more, on the same files. The server of the shared file system knows which thread does that, because that
//! thread says so, and answers it without doing anything. One that does not know what is meant is never asked to.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use container_sandbox::proto::announced_change::Kind;
use container_sandbox::proto::{AnnounceChangesRequest, AnnounceChangesResponse, AnnouncedChange};
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, FileType, Mode, OFlags, RawMode, ResolveFlags, Timespec, Timestamps,
    UTIME_OMIT,
};
use rustix::io::Errno;

use crate::error::{Error, Result, blocking};
use crate::rooted::path_of;

/// What the names of the attributes begin with by which a thread says what it announces; the server has the same text.
const ROLE: &str = "user.container.announce.";
/// Ends a role.
const END: &str = "end";

pub(super) async fn announce(request: AnnounceChangesRequest) -> Result<AnnounceChangesResponse> {
    blocking(move || {
        let mut announced = 0;
        for change in &request.changes {
            match tell(change) {
                Ok(()) => announced += 1,
                Err(error) if is_unsupported(error) => {
                    return Err(Error::Unsupported(format!(
                        "changes in {} cannot be announced",
                        change.root
                    )));
                }
                // Watchers know already, or it is not so any more.
                Err(_) => {}
            }
        }
        Ok(AnnounceChangesResponse { announced })
    })
    .await
}

fn tell(change: &AnnouncedChange) -> rustix::io::Result<()> {
    let root = Share::open(Path::new(&change.root))?;
    let path = Path::new(OsStr::from_bytes(&change.path));
    let kind = FileType::from_raw_mode(change.file_type as RawMode);
    match change.kind() {
        Kind::Created => root.created_or_known(path, kind),
        Kind::Modified => root.modified(path),
        Kind::Attributes => root.attributes(path),
        Kind::Deleted => root.deleted(path, kind),
        Kind::Moved => {
            let from = Path::new(OsStr::from_bytes(&change.from));
            root.moved(from, path, kind).or_else(|error| {
                if is_unsupported(error) {
                    return Err(error);
                }
                // One of both is known already.
                let deleted = root.deleted(from, kind);
                let created = root.created_or_known(path, kind);
                deleted.or(created)
            })
        }
    }
}

/// What something is that a change is announced of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A name that is new.
    Created,
    /// Anything else, of a directory.
    Directory,
    /// Anything else.
    File,
}

impl Role {
    fn of(kind: FileType) -> Self {
        if kind.is_dir() {
            Self::Directory
        } else {
            Self::File
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Directory => "directory",
            Self::File => "file",
        }
    }
}

/// While this lives nothing that its thread does to the shared file system has an effect outside.
struct Announcing<'a>(&'a OwnedFd);

impl<'a> Announcing<'a> {
    /// Says to the server of `file` what this thread is going to announce.
    fn begin(file: &'a OwnedFd, role: Role) -> rustix::io::Result<Self> {
        say(file, role.name()).map(|()| Self(file))
    }
}

impl Drop for Announcing<'_> {
    fn drop(&mut self) {
        // A server that does not answer any more has no files either.
        let _ = say(self.0, END);
    }
}

fn say(file: &OwnedFd, what: &str) -> rustix::io::Result<()> {
    let mut nothing = [0; 8];
    rustix::fs::getxattr(path_of(file), format!("{ROLE}{what}"), &mut nothing).map(|_| ())
}

/// A shared directory.
struct Share(OwnedFd);

impl Share {
    fn open(path: &Path) -> rustix::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(CWD, path, flags, Mode::empty()).map(Self)
    }

    /// Refers to what is at a path. No link is followed: the container may put any anywhere.
    fn locate(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let flags = flags | OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        rustix::io::retry_on_intr(|| rustix::fs::openat2(&self.0, path, flags, Mode::empty(), resolve))
    }

    /// The directory that a path's last component is in, and that component.
    fn parent<'a>(&self, path: &'a Path) -> rustix::io::Result<(OwnedFd, &'a OsStr)> {
        let name = path.file_name().ok_or(Errno::INVAL)?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.locate(parent, OFlags::DIRECTORY)?, name))
    }

    /// Announces a new name, or that something is with one that somebody here knows already.
    fn created_or_known(&self, path: &Path, kind: FileType) -> rustix::io::Result<()> {
        self.created(path, kind).or_else(|error| match kind {
            _ if is_unsupported(error) => Err(error),
            FileType::Directory => self.attributes(path),
            _ => self.modified(path),
        })
    }

    fn created(&self, path: &Path, kind: FileType) -> rustix::io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let _announcing = Announcing::begin(&parent, Role::Created)?;
        let mode = Mode::from_raw_mode(0o600);
        match kind {
            FileType::Directory => rustix::fs::mkdirat(&parent, name, mode),
            FileType::Symlink => rustix::fs::symlinkat(".", &parent, name),
            kind => rustix::fs::mknodat(&parent, name, kind, mode, 0),
        }
    }

    fn deleted(&self, path: &Path, kind: FileType) -> rustix::io::Result<()> {
        let (parent, name) = self.parent(path)?;
        let _announcing = Announcing::begin(&parent, Role::of(kind))?;
        let flags = if kind.is_dir() {
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        rustix::fs::unlinkat(&parent, name, flags)
    }

    fn moved(&self, from: &Path, to: &Path, kind: FileType) -> rustix::io::Result<()> {
        let (old_parent, old) = self.parent(from)?;
        let (new_parent, new) = self.parent(to)?;
        let _announcing = Announcing::begin(&old_parent, Role::of(kind))?;
        rustix::fs::renameat(&old_parent, old, &new_parent, new)
    }

    /// Announces other contents: the file is opened, written to and closed.
    fn modified(&self, path: &Path) -> rustix::io::Result<()> {
        let file = self.locate(path, OFlags::empty())?;
        // Anything else might do something when it is opened.
        if !file_type(&file)?.is_file() {
            return Err(Errno::INVAL);
        }
        let _announcing = Announcing::begin(&file, Role::File)?;
        let flags = OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(path_of(&file), flags, Mode::empty()) {
            // No byte is written, and the length stays.
            Ok(file) => rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, 1),
            // A program that runs. The time is not set either.
            Err(Errno::TXTBSY) => rustix::fs::utimensat(CWD, path_of(&file), &MODIFIED, AtFlags::empty()),
            Err(error) => Err(error),
        }
    }

    fn attributes(&self, path: &Path) -> rustix::io::Result<()> {
        let file = self.locate(path, OFlags::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !kind.is_file() && !kind.is_dir() {
            return Err(Errno::INVAL);
        }
        let _announcing = Announcing::begin(&file, Role::of(kind))?;
        rustix::fs::chmod(path_of(&file), Mode::from_raw_mode(stat.st_mode))
    }
}

/// Of the two times the one that says when a file was written to.
const MODIFIED: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    },
    last_modification: Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    },
};

/// The server takes no announcements.
fn is_unsupported(error: Errno) -> bool {
    matches!(error, Errno::NODATA | Errno::NOTSUP)
}

fn file_type(file: &OwnedFd) -> rustix::io::Result<FileType> {
    rustix::fs::fstat(file).map(|stat| FileType::from_raw_mode(stat.st_mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_done_where_nobody_takes_announcements() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "kept").unwrap();
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        std::os::unix::fs::symlink("/etc", directory.path().join("link")).unwrap();
        let change = |kind: Kind, path: &str, file_type: FileType| AnnouncedChange {
            root: directory.path().display().to_string(),
            path: path.into(),
            kind: kind.into(),
            file_type: file_type.as_raw_mode(),
            from: b"file".to_vec(),
        };
        let file = FileType::RegularFile;
        for refused in [
            change(Kind::Deleted, "file", file),
            change(Kind::Deleted, "directory", FileType::Directory),
            change(Kind::Created, "new", file),
            change(Kind::Moved, "moved", file),
            change(Kind::Modified, "file", file),
            change(Kind::Attributes, "", FileType::Directory),
        ] {
            let request = AnnounceChangesRequest {
                changes: vec![refused],
            };
            let error = announce(request).await.unwrap_err();
            assert!(matches!(error, Error::Unsupported(_)), "{error}");
        }
        // Neither links nor the way up lead out.
        let request = AnnounceChangesRequest {
            changes: vec![
                change(Kind::Modified, "link/passwd", file),
                change(Kind::Deleted, "../x", file),
                change(Kind::Created, "/etc/x", file),
            ],
        };
        assert_eq!(announce(request).await.unwrap().announced, 0);
        assert_eq!(
            std::fs::read_to_string(directory.path().join("file")).unwrap(),
            "kept"
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
    }
}
