//! What changes on the host, from inotify.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use container_sandbox::proto::announced_change::Kind;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::pending::{Change, Pending, Place};

/// Directories that are watched for one container at most: each takes about 1 kB of the kernel's memory.
const MOST: usize = 8192;
/// One in so many of the watches that the user may have.
const PART: usize = 4;
/// What is watched. Not `CLOSE_WRITE`: whoever closes a file need not have written to it.
const CHANGES: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE);
/// Directories with many others in which nobody edits files; these and hidden ones come last.
const LAST: &str = "node_modules";

/// Watches what is shared.
pub(super) struct Watcher {
    events: Arc<OwnedFd>,
    roots: Vec<OwnedFd>,
    /// What each watch is of: the same directory may be shared more than once.
    watches: HashMap<i32, Vec<Place>>,
    limit: usize,
    full: bool,
    over: CancellationToken,
}

impl Watcher {
    /// Watches `shared` with everything below, unless it is over before.
    ///
    /// # Errors
    /// The user has no inotify instance left.
    pub(super) fn start(shared: &[Shared], over: CancellationToken) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let roots = shared
            .iter()
            .map(|shared| rustix::fs::openat(CWD, &shared.source, flags, Mode::empty()));
        let allowed = fs::read_to_string("/proc/sys/fs/inotify/max_user_watches")?;
        let allowed: usize = allowed.trim().parse().unwrap_or(MOST);
        let mut watcher = Self {
            events: Arc::new(events),
            roots: roots.collect::<Result<_, _>>()?,
            watches: HashMap::new(),
            limit: MOST.min(allowed / PART),
            full: false,
            over,
        };
        for share in 0..watcher.roots.len() {
            watcher.watch_all(share, Path::new(""), None);
        }
        Ok(watcher)
    }

    /// Readable when there is something to [`read`](Self::read).
    pub(super) fn events(&self) -> Arc<OwnedFd> {
        self.events.clone()
    }

    /// What has changed since the last time.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn read(&mut self) -> io::Result<Vec<Change>> {
        let mut pending = Pending::default();
        // Names that went, by what joins them with the names that they became.
        let mut moving: HashMap<u32, Vec<(Place, bool)>> = HashMap::new();
        let mut overflowed = false;
        let mut buffer = [MaybeUninit::uninit(); 16 << 10];
        let events = self.events.clone();
        let mut reader = inotify::Reader::new(&*events, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            overflowed |= flags.contains(ReadFlags::QUEUE_OVERFLOW);
            if flags.contains(ReadFlags::IGNORED) {
                self.watches.remove(&event.wd());
                continue;
            }
            let name = event
                .file_name()
                .map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            let places = self.watches.get(&event.wd()).cloned().unwrap_or_default();
            let places = places.into_iter().filter_map(|place| match &name {
                Some(name) => Some(Place {
                    path: place.path.join(name),
                    ..place
                }),
                // What happens to a directory itself is told by the one that it is in.
                None => place.path.as_os_str().is_empty().then_some(place),
            });
            let is_directory = flags.contains(ReadFlags::ISDIR);
            if flags.contains(ReadFlags::MOVED_FROM) {
                let places = places.map(|place| (place, is_directory));
                moving.entry(event.cookie()).or_default().extend(places);
                continue;
            }
            for place in places {
                if flags.contains(ReadFlags::MOVED_TO) {
                    let from = moving.get_mut(&event.cookie());
                    let from = from.and_then(|from| {
                        let same = from.iter().position(|(from, _)| from.share == place.share)?;
                        Some(from.swap_remove(same).0.path)
                    });
                    self.moved(&mut pending, from, place, is_directory);
                } else if flags.contains(ReadFlags::CREATE) {
                    self.created(&mut pending, place);
                } else if flags.contains(ReadFlags::DELETE) {
                    pending.push(change(place, Kind::Deleted, kind(is_directory)));
                } else if flags.contains(ReadFlags::MODIFY) {
                    pending.push(change(place, Kind::Modified, FileType::RegularFile));
                } else if flags.contains(ReadFlags::ATTRIB) {
                    pending.push(change(place, Kind::Attributes, kind(is_directory)));
                }
            }
        }
        // What became no other name that is shared.
        for (place, is_directory) in moving.into_values().flatten() {
            if is_directory {
                self.forget(&place);
            }
            pending.push(change(place, Kind::Deleted, kind(is_directory)));
        }
        if overflowed {
            tracing::warn!("too many changes of the host's files at once: the guest is not told of some");
            for share in 0..self.roots.len() {
                self.watch_all(share, Path::new(""), None);
            }
        }
        if pending.dropped > 0 {
            tracing::warn!(
                pending.dropped,
                "too many changes of the host's files at once: the guest is not told of some"
            );
        }
        Ok(pending.into_changes())
    }

    fn created(&mut self, pending: &mut Pending, place: Place) {
        // It may be gone again.
        let Some(found) = self.file_type(&place) else {
            return;
        };
        pending.push(change(place.clone(), Kind::Created, found));
        if found.is_dir() {
            self.watch_all(place.share, &place.path, Some(pending));
        }
    }

    fn moved(&mut self, pending: &mut Pending, from: Option<PathBuf>, place: Place, is_directory: bool) {
        let Some(from) = from else {
            self.created(pending, place);
            return;
        };
        if is_directory {
            self.rename(place.share, &from, &place.path);
        }
        pending.push(Change {
            from,
            ..change(place, Kind::Moved, kind(is_directory))
        });
    }

    /// Watches what is at `path` with everything below, and adds what is found there to `found`. Those directories come
    /// last that are the least likely to matter, if there are more than may be watched.
    fn watch_all(&mut self, share: usize, path: &Path, mut found: Option<&mut Pending>) {
        let mut next = VecDeque::from([path.to_owned()]);
        let mut last = VecDeque::new();
        while let Some(path) = next.pop_front().or_else(|| last.pop_front()) {
            let place = Place { share, path };
            // Directories that cannot be read, or are gone again, have nothing to tell.
            for (name, file_type) in self.watch(&place).unwrap_or_default() {
                let path = place.path.join(&name);
                if let Some(pending) = found.as_deref_mut() {
                    let place = Place {
                        share,
                        path: path.clone(),
                    };
                    pending.push(change(place, Kind::Created, file_type));
                }
                if !file_type.is_dir() {
                } else if name.as_bytes().starts_with(b".") || name == LAST {
                    last.push_back(path);
                } else {
                    next.push_back(path);
                }
            }
            if self.full || self.over.is_cancelled() {
                return;
            }
        }
    }

    /// Watches one directory, or the shared file, and lists what is in it.
    fn watch(&mut self, place: &Place) -> io::Result<Vec<(std::ffi::OsString, FileType)>> {
        let file = self.locate(place, OFlags::PATH)?;
        if self.watches.len() >= self.limit {
            self.warn_once();
            return Ok(Vec::new());
        }
        // The file that was found, whatever its name is by now.
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let watch = match inotify::add_watch(&*self.events, path, CHANGES) {
            Err(Errno::NOSPC) => {
                self.warn_once();
                return Ok(Vec::new());
            }
            watch => watch?,
        };
        let places = self.watches.entry(watch).or_default();
        if !places.contains(place) {
            places.push(place.clone());
        }
        if !file_type_of(&file)?.is_dir() {
            return Ok(Vec::new());
        }
        // After that: what is made meanwhile is seen twice rather than not at all.
        let directory = self.locate(place, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut list = Vec::new();
        for entry in Dir::new(directory)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let file_type = match entry.file_type() {
                // Some file systems do not say.
                FileType::Unknown => self.file_type(&Place {
                    share: place.share,
                    path: place.path.join(name),
                }),
                file_type => Some(file_type),
            };
            list.extend(file_type.map(|file_type| (name.to_owned(), file_type)));
        }
        Ok(list)
    }

    fn warn_once(&mut self) {
        if !std::mem::replace(&mut self.full, true) {
            tracing::warn!(
                watched = self.watches.len(),
                "the guest is not told of changes in further directories of the host: no more can be watched"
            );
        }
    }

    /// Opens what is at a place, on the file system that is shared: neither links nor mounts are followed, which the guest
    /// might have put there.
    fn locate(&self, place: &Place, flags: OFlags) -> io::Result<OwnedFd> {
        let root = &self.roots[place.share];
        if place.path.as_os_str().is_empty() && flags == OFlags::PATH {
            return root.try_clone();
        }
        let path = if place.path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &place.path
        };
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        Ok(rustix::fs::openat2(root, path, flags, Mode::empty(), resolve)?)
    }

    fn file_type(&self, place: &Place) -> Option<FileType> {
        file_type_of(&self.locate(place, OFlags::PATH).ok()?).ok()
    }

    /// A directory has another name.
    fn rename(&mut self, share: usize, from: &Path, to: &Path) {
        for place in self.watches.values_mut().flatten() {
            if place.share == share
                && let Ok(below) = place.path.strip_prefix(from)
            {
                place.path = match below.as_os_str().is_empty() {
                    true => to.to_owned(),
                    false => to.join(below),
                };
            }
        }
    }

    /// A directory is not shared any more.
    fn forget(&mut self, gone: &Place) {
        let events = &self.events;
        self.watches.retain(|watch, places| {
            places.retain(|place| place.share != gone.share || !place.path.starts_with(&gone.path));
            if places.is_empty() {
                // It may have ended by itself.
                let _ = inotify::remove_watch(&**events, *watch);
            }
            !places.is_empty()
        });
    }
}

fn change(place: Place, kind: Kind, file_type: FileType) -> Change {
    Change {
        place,
        kind,
        file_type: file_type.as_raw_mode(),
        from: PathBuf::new(),
    }
}

fn kind(is_directory: bool) -> FileType {
    if is_directory {
        FileType::Directory
    } else {
        FileType::RegularFile
    }
}

fn file_type_of(file: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn watch(directory: &Path) -> Watcher {
        let shared = Shared {
            source: directory.to_owned(),
            root: "/run/virtiofs/0".to_owned(),
            file: PathBuf::new(),
        };
        Watcher::start(&[shared], CancellationToken::new()).expect("a watcher")
    }

    fn seen(watcher: &mut Watcher) -> Vec<(Kind, String, String)> {
        let changes = watcher.read().expect("events");
        let text = |path: &Path| path.display().to_string();
        changes
            .iter()
            .map(|change| (change.kind, text(&change.place.path), text(&change.from)))
            .collect()
    }

    fn told(changes: &[(Kind, &str, &str)]) -> Vec<(Kind, String, String)> {
        changes
            .iter()
            .map(|(kind, path, from)| (*kind, (*path).to_owned(), (*from).to_owned()))
            .collect()
    }

    #[test]
    fn changes_at_any_depth() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path();
        fs::create_dir_all(path.join("a/b"))?;
        fs::write(path.join("a/b/file"), "1")?;
        let mut watcher = watch(path);
        assert_eq!(seen(&mut watcher), []);
        fs::write(path.join("a/b/file"), "2")?;
        fs::create_dir_all(path.join("new/deep"))?;
        fs::write(path.join("new/deep/file"), "")?;
        let expected = [
            (Kind::Modified, "a/b/file", ""),
            (Kind::Created, "new", ""),
            (Kind::Created, "new/deep", ""),
            (Kind::Created, "new/deep/file", ""),
        ];
        assert_eq!(seen(&mut watcher), told(&expected));
        fs::write(path.join("new/deep/file"), "x")?;
        fs::remove_file(path.join("a/b/file"))?;
        let expected = [
            (Kind::Modified, "new/deep/file", ""),
            (Kind::Deleted, "a/b/file", ""),
        ];
        assert_eq!(seen(&mut watcher), told(&expected));
        Ok(())
    }

    #[test]
    fn directories_that_move() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let (path, outside) = (directory.path().join("in"), directory.path().join("out"));
        fs::create_dir_all(path.join("a/b"))?;
        fs::create_dir(&outside)?;
        let mut watcher = watch(&path);
        fs::rename(path.join("a"), path.join("c"))?;
        assert_eq!(seen(&mut watcher), told(&[(Kind::Moved, "c", "a")]));
        fs::write(path.join("c/b/file"), "")?;
        assert_eq!(seen(&mut watcher), told(&[(Kind::Created, "c/b/file", "")]));
        fs::rename(path.join("c"), outside.join("c"))?;
        assert_eq!(seen(&mut watcher), told(&[(Kind::Deleted, "c", "")]));
        fs::write(outside.join("c/b/file"), "not shared any more")?;
        assert_eq!(seen(&mut watcher), []);
        assert_eq!(watcher.watches.len(), 1);
        Ok(())
    }

    #[test]
    fn nothing_is_watched_behind_links_or_beyond_the_limit() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let (path, outside) = (directory.path().join("in"), directory.path().join("out"));
        fs::create_dir_all(path.join("node_modules/many"))?;
        fs::create_dir_all(path.join("src/deep"))?;
        fs::create_dir(&outside)?;
        symlink(&outside, path.join("link"))?;
        let mut watcher = watch(&path);
        fs::write(outside.join("file"), "")?;
        assert_eq!((seen(&mut watcher), watcher.watches.len()), (vec![], 5));

        watcher.forget(&Place {
            share: 0,
            path: PathBuf::new(),
        });
        watcher.limit = 3;
        watcher.watch_all(0, Path::new(""), None);
        let mut paths: Vec<_> = watcher
            .watches
            .values()
            .flatten()
            .map(|place| &place.path)
            .collect();
        paths.sort();
        assert_eq!(paths, [Path::new(""), Path::new("src"), Path::new("src/deep")]);
        assert!(watcher.full);
        Ok(())
    }
}
