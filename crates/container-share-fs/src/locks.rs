//! Locks of the guest's processes, kept on the host's files: they exclude other machines, and the host's own programs.
//!
//! A lock of a whole file (`flock`) is one of the guest's open file, which is an open file here, too. Locks of ranges
//! (`fcntl`) belong to a process: whoever holds some in a file has a description of it here, whose locks they are.
//!
//! Whoever waits is asked for again and again by one thread, so that a wait can be interrupted, and holds up nobody. The
//! guest's kernel does not say that a waiting process got a signal: its agent asks who waits ([`Locks::watch`]), and has
//! those interrupted that have one.
//!
//! A lock is of use only to a guest that sees what others did before. What it knows of a file that it locks is not
//! believed for any time from then on; the first lock is granted when what it was told before is not either.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{FlockOperation, Mode, OFlags};
use virtiofsd::fuse::{FileLock, LK_FLOCK, LkIn};

/// Time between two attempts for those who wait.
const RETRY: Duration = Duration::from_millis(10);
/// Whoever waits for less has no time for a signal.
const LONG: Duration = Duration::from_millis(50);
/// Who may wait at a time: each occupies a place of the device's queue, which others need.
const MOST_WAITING: usize = 512;
/// Files that are remembered as locked. To forget them is right too, and only costs time.
const MOST_REMEMBERED: usize = 4096;
/// How far apart a clock's times of changes may be.
const TICK: Duration = Duration::from_millis(10);

/// Tells whoever asked for a lock how that ended.
pub(crate) type Reply = Box<dyn FnOnce(io::Result<()>) + Send>;
/// Tells whoever watches which of the guest's threads wait.
pub(crate) type Watcher = Box<dyn FnOnce(&[u32]) + Send>;

/// The locks of a machine.
pub(crate) struct Locks {
    table: Mutex<Table>,
    changed: Condvar,
    /// The directory of this process's descriptors.
    descriptors: OwnedFd,
    /// Processes that may hold locks of ranges, times files: each takes a descriptor.
    most: usize,
    /// For how long the guest believes what it is told of a file.
    belief: Duration,
    /// The guest's numbers of files that were locked.
    remembered: RwLock<HashSet<u64>>,
}

#[derive(Default)]
struct Table {
    ranges: HashMap<Key, Ranges>,
    waiting: VecDeque<Waiting>,
    watcher: Option<Watcher>,
}

/// A file and whoever has locks of ranges in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    device: u64,
    inode: u64,
    owner: u64,
}

struct Ranges {
    file: Arc<File>,
    /// The open file by which the first lock was asked for.
    handle: u64,
}

struct Waiting {
    since: Instant,
    thread: u32,
    file: Arc<File>,
    lock: Lock,
    /// For locks of ranges, with the open file.
    key: Option<(Key, u64)>,
    reply: Reply,
    /// Whoever asks waits for others.
    wait: bool,
    /// Not granted before.
    earliest: Instant,
}

#[derive(Clone, Copy)]
enum Lock {
    Whole(FlockOperation),
    Range(libc::flock64),
}

impl Locks {
    /// `descriptors` is `/proc/self/fd`; `most` bounds the descriptors that locks take. The guest believes what it is told
    /// of a file for the time of `belief`.
    pub(crate) fn new(descriptors: OwnedFd, most: usize, belief: Duration) -> Self {
        Self {
            table: Mutex::default(),
            changed: Condvar::new(),
            descriptors,
            most,
            belief,
            remembered: RwLock::default(),
        }
    }

    /// Takes or gives back a lock of `file`, the guest's `inode`. The answer may come later.
    pub(crate) fn lock(&self, thread: u32, inode: u64, file: File, request: &LkIn, wait: bool, reply: Reply) {
        let now = Instant::now();
        let earliest = now + self.doubt(inode, &file);
        let mut table = self.table();
        let (file, lock, key) = match self.wanted(&mut table, file, request) {
            Ok(Some(wanted)) => wanted,
            Ok(None) => return reply(Ok(())),
            Err(error) => return reply(Err(error)),
        };
        let later = earliest > now && i64::from(request.lk.type_) != i64::from(libc::F_UNLCK);
        let attempted = if later { None } else { Some(attempt(&file, lock)) };
        match attempted {
            Some(Err(error)) if is_taken(&error) && !wait => {
                reply(Err(io::Error::from_raw_os_error(libc::EAGAIN)));
            }
            Some(Err(error)) if !is_taken(&error) => reply(Err(error)),
            Some(Ok(())) => reply(Ok(())),
            _ if table.waiting.len() >= MOST_WAITING => {
                reply(Err(io::Error::from_raw_os_error(libc::ENOLCK)));
            }
            _ => table.waiting.push_back(Waiting {
                since: now,
                thread,
                file,
                lock,
                key,
                reply,
                wait,
                earliest,
            }),
        }
        // Somebody may wait for what was given back, and somebody has to look after who waits.
        self.changed.notify_one();
    }

    /// Whether the guest is to ask again for what it is told of a file.
    pub(crate) fn is_remembered(&self, inode: u64) -> bool {
        let remembered = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
        remembered.contains(&inode)
    }

    /// Remembers a file, and says for how long the guest may still believe what it was told of it before.
    fn doubt(&self, inode: u64, file: &File) -> Duration {
        if self.belief.is_zero() || self.is_remembered(inode) {
            return Duration::ZERO;
        }
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(inode);
        // What has been as it is for long enough is what the guest knows.
        let changed = file.metadata().map(|found| {
            let seconds = Duration::from_secs(found.ctime().try_into().unwrap_or(0));
            SystemTime::UNIX_EPOCH
                + seconds
                + Duration::from_nanos(found.ctime_nsec().try_into().unwrap_or(0))
        });
        let age = changed.map_or(Duration::ZERO, |changed| changed.elapsed().unwrap_or_default());
        (self.belief + TICK).saturating_sub(age)
    }

    /// What keeps `request` from being granted; of the type `F_UNLCK` if nothing does.
    pub(crate) fn test(&self, file: File, request: &LkIn) -> io::Result<FileLock> {
        let mut range = range(&request.lk)?;
        let key = key(&file, request.owner)?;
        let own = self.table().ranges.get(&key).map(|ranges| ranges.file.clone());
        control(
            &own.unwrap_or_else(|| Arc::new(file)),
            libc::F_OFD_GETLK,
            &mut range,
        )?;
        Ok(FileLock {
            start: range.l_start.cast_unsigned(),
            end: match range.l_len {
                0 => i64::MAX.cast_unsigned(),
                length => (range.l_start + length - 1).cast_unsigned(),
            },
            type_: u32::from(range.l_type.cast_unsigned()),
            // It may be of another machine.
            pid: 0,
        })
    }

    /// A process has closed a file: its locks of ranges in it are gone, whatever else it has open.
    pub(crate) fn closed(&self, owner: u64, file: impl FnOnce() -> io::Result<File>) {
        let mut table = self.table();
        // A process that locks nothing pays nothing.
        if !table.ranges.is_empty()
            && let Ok(key) = file().and_then(|file| key(&file, owner))
            && let Some(ranges) = table.ranges.remove(&key)
        {
            ranges.give_back();
            self.changed.notify_one();
        }
    }

    /// Nobody has `handle` any more: what is still locked by way of it belonged to it alone.
    pub(crate) fn released(&self, handle: u64) {
        let mut table = self.table();
        table.ranges.retain(|_, ranges| {
            let stays = ranges.handle != handle;
            if !stays {
                ranges.give_back();
            }
            stays
        });
        self.changed.notify_one();
    }

    /// Tells which threads wait, once some do for long. The last one who asks is told.
    pub(crate) fn watch(&self, watcher: Watcher) {
        let before = self.table().watcher.replace(watcher);
        self.changed.notify_one();
        if let Some(before) = before {
            before(&[]);
        }
    }

    /// A thread that waits has a signal.
    pub(crate) fn interrupt(&self, thread: u32) {
        let mut table = self.table();
        if let Some(at) = table.waiting.iter().position(|waiting| waiting.thread == thread)
            && let Some(waiting) = table.waiting.remove(at)
        {
            (waiting.reply)(Err(io::Error::from_raw_os_error(libc::EINTR)));
        }
    }

    /// Looks after those who wait, for ever.
    pub(crate) fn attend(&self) -> ! {
        let mut table = self.table();
        loop {
            table = if table.waiting.is_empty() {
                self.changed.wait(table).unwrap_or_else(PoisonError::into_inner)
            } else {
                let woken = self.changed.wait_timeout(table, RETRY);
                woken.unwrap_or_else(PoisonError::into_inner).0
            };
            table.grant();
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file and the lock of it that `request` is about; none if there is nothing to give back.
    #[expect(clippy::type_complexity, reason = "the parts of `Waiting`")]
    fn wanted(
        &self,
        table: &mut Table,
        file: File,
        request: &LkIn,
    ) -> io::Result<Option<(Arc<File>, Lock, Option<(Key, u64)>)>> {
        if request.lk_flags & LK_FLOCK != 0 {
            let operation = match kind(&request.lk)? {
                libc::F_RDLCK => FlockOperation::NonBlockingLockShared,
                libc::F_WRLCK => FlockOperation::NonBlockingLockExclusive,
                _ => FlockOperation::NonBlockingUnlock,
            };
            return Ok(Some((Arc::new(file), Lock::Whole(operation), None)));
        }
        let range = range(&request.lk)?;
        let key = key(&file, request.owner)?;
        let own = match table.ranges.get(&key) {
            Some(ranges) => ranges.file.clone(),
            None if i32::from(range.l_type) == libc::F_UNLCK => return Ok(None),
            None if table.ranges.len() >= self.most => {
                return Err(io::Error::from_raw_os_error(libc::ENOLCK));
            }
            None => {
                let own = Arc::new(self.description(file));
                let handle = request.fh;
                table.ranges.insert(
                    key,
                    Ranges {
                        file: own.clone(),
                        handle,
                    },
                );
                own
            }
        };
        Ok(Some((own, Lock::Range(range), Some((key, request.fh)))))
    }

    /// A description of its own of an open file, for both kinds of locks; the same one where the host refuses that, as it
    /// does for what can only be read.
    fn description(&self, file: File) -> File {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let name = file.as_raw_fd().to_string();
        rustix::fs::openat(&self.descriptors, name, flags, Mode::empty()).map_or(file, File::from)
    }
}

impl Table {
    /// Tries again for everybody in the order in which they came.
    fn grant(&mut self) {
        for _ in 0..self.waiting.len() {
            let Some(waiting) = self.waiting.pop_front() else {
                break;
            };
            if waiting.earliest > Instant::now() {
                self.waiting.push_back(waiting);
                continue;
            }
            match attempt(&waiting.file, waiting.lock) {
                Err(error) if is_taken(&error) && waiting.wait => self.waiting.push_back(waiting),
                result => {
                    if result.is_ok()
                        && let Some((key, handle)) = waiting.key
                    {
                        let file = waiting.file;
                        self.ranges.entry(key).or_insert(Ranges { file, handle });
                    }
                    (waiting.reply)(result);
                }
            }
        }
        let long = self
            .waiting
            .iter()
            .filter(|waiting| waiting.since.elapsed() >= LONG);
        let threads: Vec<u32> = long.map(|waiting| waiting.thread).collect();
        if !threads.is_empty()
            && let Some(watcher) = self.watcher.take()
        {
            watcher(&threads);
        }
    }
}

impl Ranges {
    /// Its description may also be the guest's open file, which stays.
    fn give_back(&self) {
        let mut all = libc::flock64 {
            l_type: libc::F_UNLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // There is nothing to be done about locks that cannot be given back, nor does that happen.
        let _ = control(&self.file, libc::F_OFD_SETLK, &mut all);
    }
}

fn attempt(file: &File, lock: Lock) -> io::Result<()> {
    match lock {
        Lock::Whole(operation) => Ok(rustix::fs::flock(file, operation)?),
        Lock::Range(mut range) => control(file, libc::F_OFD_SETLK, &mut range),
    }
}

fn control(file: &File, command: libc::c_int, range: &mut libc::flock64) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the commands for locks read and write the structure alone.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut *range) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES))
}

fn key(file: &File, owner: u64) -> io::Result<Key> {
    let found = file.metadata()?;
    Ok(Key {
        device: found.dev(),
        inode: found.ino(),
        owner,
    })
}

fn kind(lock: &FileLock) -> io::Result<libc::c_int> {
    [libc::F_RDLCK, libc::F_WRLCK, libc::F_UNLCK]
        .into_iter()
        .find(|kind| u32::try_from(*kind) == Ok(lock.type_))
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))
}

/// The guest names the first and the last byte, the host the first one and how many; none for all.
fn range(lock: &FileLock) -> io::Result<libc::flock64> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    let start = i64::try_from(lock.start).map_err(|_| invalid())?;
    let end = i64::try_from(lock.end).map_err(|_| invalid())?;
    if end < start {
        return Err(invalid());
    }
    Ok(libc::flock64 {
        l_type: kind(lock)? as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start,
        l_len: if end == i64::MAX { 0 } else { end - start + 1 },
        l_pid: 0,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Locks as a machine has them, and a file.
    fn machine(most: usize, belief: Duration) -> Arc<Locks> {
        let descriptors = File::open("/proc/self/fd").unwrap();
        let locks = Arc::new(Locks::new(descriptors.into(), most, belief));
        let attending = locks.clone();
        std::thread::spawn(move || attending.attend());
        locks
    }

    fn request(owner: u64, kind: libc::c_int, flags: u32, bytes: (u64, u64)) -> LkIn {
        LkIn {
            fh: owner,
            owner,
            lk: FileLock {
                start: bytes.0,
                end: bytes.1,
                type_: kind.cast_unsigned(),
                pid: 0,
            },
            lk_flags: flags,
            padding: 0,
        }
    }

    const ALL: (u64, u64) = (0, i64::MAX as u64);

    fn ask(locks: &Locks, file: &File, request: &LkIn, wait: bool) -> Receiver<io::Result<()>> {
        let (told, answer) = channel();
        let reply = Box::new(move |result| told.send(result).unwrap());
        locks.lock(7, 1, file.try_clone().unwrap(), request, wait, reply);
        answer
    }

    fn code(answer: &Receiver<io::Result<()>>) -> Option<i32> {
        let result = answer.recv_timeout(LIMIT).expect("an answer");
        result.err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn owners_exclude_each_other_within_and_across_machines() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let open = || File::options().read(true).write(true).open(path.path()).unwrap();
        let (one, two) = (machine(8, Duration::ZERO), machine(8, Duration::ZERO));
        let (file, other) = (open(), open());
        let write = |owner, bytes| request(owner, libc::F_WRLCK, 0, bytes);
        assert_eq!(code(&ask(&one, &file, &write(1, (0, 9)), false)), None);
        // The same process again, another one with the same open file, and one of another machine.
        assert_eq!(code(&ask(&one, &file, &write(1, (5, 20)), false)), None);
        assert_eq!(
            code(&ask(&one, &file, &write(2, (9, 9)), false)),
            Some(libc::EAGAIN)
        );
        assert_eq!(
            code(&ask(&two, &other, &write(1, ALL), false)),
            Some(libc::EAGAIN)
        );
        assert_eq!(code(&ask(&two, &other, &write(1, (21, 30)), false)), None);
        let found = two.test(open(), &write(1, (15, 30))).unwrap();
        assert_eq!(
            (found.type_, found.start, found.end),
            (libc::F_WRLCK.cast_unsigned(), 0, 20)
        );
        // Whoever waits gets it when the file is closed by who has it.
        let waiting = ask(&two, &other, &write(3, (0, 3)), true);
        assert!(waiting.recv_timeout(LONG * 2).is_err());
        one.closed(1, || file.try_clone());
        assert_eq!(code(&waiting), None);
        two.released(3);
        assert_eq!(
            one.test(open(), &write(2, (0, 3))).unwrap().type_,
            libc::F_UNLCK.cast_unsigned()
        );
    }

    #[test]
    fn whole_files_and_what_is_refused() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(path.path()).unwrap();
        let locks = machine(1, Duration::ZERO);
        let (file, other) = (open(), open());
        let whole = |kind| request(1, kind, LK_FLOCK, ALL);
        assert_eq!(code(&ask(&locks, &file, &whole(libc::F_WRLCK), false)), None);
        assert_eq!(
            code(&ask(&locks, &other, &whole(libc::F_RDLCK), false)),
            Some(libc::EAGAIN)
        );
        // Somebody who waits is shown to who watches, and can be interrupted.
        let waiting = ask(&locks, &other, &whole(libc::F_RDLCK), true);
        let (told, seen) = channel();
        locks.watch(Box::new(move |threads| told.send(threads.to_vec()).unwrap()));
        assert_eq!(seen.recv_timeout(LIMIT).unwrap(), [7]);
        locks.interrupt(7);
        assert_eq!(code(&waiting), Some(libc::EINTR));
        let waiting = ask(&locks, &other, &whole(libc::F_RDLCK), true);
        assert_eq!(code(&ask(&locks, &file, &whole(libc::F_UNLCK), false)), None);
        assert_eq!(code(&waiting), None);

        let read = |owner| request(owner, libc::F_RDLCK, 0, ALL);
        assert_eq!(code(&ask(&locks, &file, &read(1), false)), None);
        assert_eq!(
            code(&ask(&locks, &file, &read(2), false)),
            Some(libc::ENOLCK),
            "too many"
        );
        for (kind, bytes) in [(9, ALL), (libc::F_RDLCK, (5, 4)), (libc::F_RDLCK, (0, u64::MAX))] {
            let wrong = request(1, kind, 0, bytes);
            assert_eq!(code(&ask(&locks, &file, &wrong, false)), Some(libc::EINVAL));
        }
    }

    #[test]
    fn what_the_guest_was_told_of_a_file_before_its_first_lock_is_not_believed_after() {
        const BELIEF: Duration = Duration::from_millis(300);
        let path = tempfile::NamedTempFile::new().unwrap();
        let file = File::open(path.path()).unwrap();
        let locks = machine(8, BELIEF);
        assert!(!locks.is_remembered(1));
        let read = request(1, libc::F_RDLCK, 0, ALL);
        let started = Instant::now();
        assert_eq!(code(&ask(&locks, &file, &read, false)), None);
        assert!(
            started.elapsed() >= BELIEF / 2,
            "the file is new: {:?}",
            started.elapsed()
        );
        assert!(locks.is_remembered(1));
        let (told, answer) = channel();
        let reply = Box::new(move |result| told.send(result).unwrap());
        locks.lock(7, 2, file, &read, false, reply);
        assert!(answer.try_recv().unwrap().is_ok(), "as it was for long");
    }
}
