//! The walk through the upper directory of an overlay, side by side with the lower one.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::rooted::path_of;

/// The attribute of a directory that hides what the image has in its place.
const OPAQUE: &CStr = c"trusted.overlay.opaque";

/// How deep directories may be nested; a container can nest them deeper than any path can name.
const MAX_DEPTH: usize = 500;

/// What happened to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The image does not have it.
    Added,
    /// The image has something else there.
    Changed,
    /// The image has it, the container does not.
    Deleted,
}

/// Something in the upper directory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    /// Its absolute path in the container.
    pub(super) path: &'a Path,
    /// The directory that it is in.
    pub(super) parent: &'a OwnedFd,
    /// Its name there.
    pub(super) name: &'a CStr,
    /// Its metadata.
    pub(super) stat: &'a Stat,
}

/// What is done with the changes.
pub(super) trait Sink {
    /// A directory that has changes below it, or is one. Comes before everything below it. `opaque` when nothing of the
    /// image's directory of the same name is seen any more.
    fn enter(&mut self, directory: Found<'_>, opaque: bool) -> io::Result<()>;
    /// Everything below a directory has been told, so that it is known whether it is a change itself.
    fn leave(&mut self, path: &Path, kind: Option<Kind>) -> io::Result<()>;
    /// Something else than a directory was added or changed.
    fn file(&mut self, file: Found<'_>, kind: Kind) -> io::Result<()>;
    /// Something of the image was deleted; `hidden` when that follows from an opaque directory above it.
    fn deleted(&mut self, path: &Path, hidden: bool) -> io::Result<()>;
}

/// The walk.
pub(super) struct Walk<S> {
    sink: S,
    excluded: Vec<PathBuf>,
    /// Directories on the way down that the sink does not know of yet.
    pending: Vec<Pending>,
}

struct Pending {
    path: PathBuf,
    parent: OwnedFd,
    name: CString,
    stat: Stat,
    opaque: bool,
}

/// One directory of the overlay.
struct Place<'a> {
    path: &'a Path,
    upper: OwnedFd,
    /// The image's directory in its place.
    lower: Option<OwnedFd>,
    /// Whether nothing of that is seen.
    opaque: bool,
    depth: usize,
}

/// What was found below a directory.
#[derive(Debug, Clone, Copy, Default)]
struct Below {
    /// Something directly in it came or went.
    entries: bool,
    /// Something in it is not told.
    excluded: bool,
}

impl<S: Sink> Walk<S> {
    pub(super) fn new(sink: S, excluded: Vec<PathBuf>) -> Self {
        Self {
            sink,
            excluded,
            pending: Vec::new(),
        }
    }

    /// Tells the sink everything.
    pub(super) fn run(mut self, upper: &Path, lower: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let open = |path: &Path| rustix::fs::openat(CWD, path, flags, Mode::empty());
        let root = Place {
            path: Path::new("/"),
            upper: open(upper)?,
            lower: Some(open(lower)?),
            opaque: false,
            depth: 0,
        };
        self.directory(&root).map(drop)
    }

    fn directory(&mut self, place: &Place<'_>) -> io::Result<Below> {
        let mut below = Below::default();
        let names = names(&place.upper)?;
        for name in &names {
            let path = place.path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
            if self.excluded.contains(&path) {
                below.excluded = true;
                continue;
            }
            match self.entry(place, name, &path) {
                Ok(counts) => below.entries |= counts,
                // It was there a moment ago: what is not frozen changes.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(lower) = place.lower.as_ref().filter(|_| place.opaque) {
            for name in hidden(lower, &names)? {
                let path = place.path.join(std::ffi::OsStr::from_bytes(name.to_bytes()));
                if !self.excluded.contains(&path) {
                    self.announce()?;
                    self.sink.deleted(&path, true)?;
                    below.entries = true;
                }
            }
        }
        Ok(below)
    }

    /// Tells of one entry and of everything below it; the answer is whether its directory has something else than the
    /// image's has, or something less.
    fn entry(&mut self, place: &Place<'_>, name: &CStr, path: &Path) -> io::Result<bool> {
        let stat = rustix::fs::statat(&place.upper, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        let image = match place.lower.as_ref().map(|lower| look(lower, name)) {
            Some(found) => found?,
            None => None,
        };
        if kind == FileType::CharacterDevice && stat.st_rdev == 0 {
            if image.is_some() {
                self.announce()?;
                self.sink.deleted(path, place.opaque)?;
            }
            return Ok(image.is_some());
        }
        let change = if image.is_some() {
            Kind::Changed
        } else {
            Kind::Added
        };
        let found = Found {
            path,
            parent: &place.upper,
            name,
            stat: &stat,
        };
        if kind != FileType::Directory {
            self.announce()?;
            self.sink.file(found, change)?;
            return Ok(!is(image, kind));
        }
        if place.depth == MAX_DEPTH {
            return Err(io::Error::other(format!(
                "{} is nested too deeply",
                path.display()
            )));
        }
        let open = |parent: &OwnedFd| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::openat(parent, name, flags, Mode::empty())
        };
        let upper = open(&place.upper)?;
        let was_directory = is(image, kind);
        let opaque = place.opaque || is_opaque(&upper)?;
        self.pending.push(Pending {
            path: path.to_owned(),
            parent: rustix::io::dup(&place.upper)?,
            name: name.to_owned(),
            stat,
            // Below an opaque directory everything is hidden already.
            opaque: opaque && was_directory && !place.opaque,
        });
        let depth = self.pending.len();
        let below = self.directory(&Place {
            path,
            upper,
            lower: match &place.lower {
                Some(lower) if was_directory => Some(open(lower)?),
                _ => None,
            },
            opaque,
            depth: place.depth + 1,
        })?;
        let told = self.pending.len() < depth;
        let kind = match image {
            // What made it for itself is not the container's change.
            None if below.excluded && !told => None,
            None => Some(Kind::Added),
            Some(image) if !was_directory || !same(&image, &stat) => Some(Kind::Changed),
            Some(_) if below.entries => Some(Kind::Changed),
            Some(image) if image.st_mtime != stat.st_mtime && !below.excluded => Some(Kind::Changed),
            Some(_) => None,
        };
        if kind.is_some() {
            self.announce()?;
        }
        if told || kind.is_some() {
            self.sink.leave(path, kind)?;
        }
        self.pending.truncate(depth - 1);
        Ok(kind == Some(Kind::Added) || image.is_some() && !was_directory)
    }

    /// Tells the sink of the directories above a change.
    fn announce(&mut self) -> io::Result<()> {
        for pending in self.pending.drain(..) {
            let found = Found {
                path: &pending.path,
                parent: &pending.parent,
                name: &pending.name,
                stat: &pending.stat,
            };
            self.sink.enter(found, pending.opaque)?;
        }
        Ok(())
    }
}

/// The names in a directory, sorted.
fn names(directory: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The names of the image's directory that the sorted `present` do not have.
fn hidden(lower: &OwnedFd, present: &[CString]) -> io::Result<Vec<CString>> {
    let mut names = names(lower)?;
    names.retain(|name| present.binary_search(name).is_err());
    Ok(names)
}

/// Whether there is something of this type.
fn is(stat: Option<Stat>, kind: FileType) -> bool {
    stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == kind)
}

fn look(directory: &OwnedFd, name: &CStr) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_opaque(directory: &OwnedFd) -> io::Result<bool> {
    let mut value = [0; 1];
    match rustix::fs::getxattr(path_of(directory), OPAQUE, &mut value) {
        Ok(1) => Ok(value[0] == b'y'),
        Ok(_) | Err(Errno::NODATA | Errno::NOTSUP | Errno::RANGE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether two directories have the same owner and mode.
fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)
}
