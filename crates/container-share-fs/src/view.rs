//! What the guest knows and has done, as far as announcing changes of the host takes it.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Names, and files that the guest has changed, that are remembered. Whoever knows more is told of some changes that it
/// has made itself, and not of the end of every file that it watches.
const LIMIT: usize = 1 << 16;
/// Threads of the guest that may announce at a time.
const ANNOUNCERS: usize = 16;

/// A name in a directory, which the guest knows by its number.
type Place = (u64, CString);

/// What a thread of the guest announces at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A name that is new.
    Created,
    /// A change of something that is no directory.
    File,
    /// A change of a directory.
    Directory,
}

impl Role {
    /// The role of a name that a request has; `None` within is the end of one.
    pub(crate) fn parse(name: &[u8]) -> Option<Option<Self>> {
        match name {
            b"created" => Some(Some(Self::Created)),
            b"file" => Some(Some(Self::File)),
            b"directory" => Some(Some(Self::Directory)),
            b"end" => Some(None),
            _ => None,
        }
    }
}

/// What the guest last saw at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// This file.
    File(u64),
    /// Nothing any more: it has removed the name itself.
    Removed,
}

/// What the guest knows and has done.
#[derive(Debug, Default)]
pub(crate) struct View {
    names: HashMap<Place, Seen>,
    changes: HashMap<u64, Duration>,
    roles: HashMap<i32, Role>,
    lent: HashMap<u64, u64>,
}

impl View {
    /// Gives a thread of the guest a role, or takes it. Says whether it could.
    pub(crate) fn assume(&mut self, thread: i32, role: Option<Role>) -> bool {
        match role {
            None => {
                self.roles.remove(&thread);
                true
            }
            // Zero is everybody who has no number.
            Some(_) if thread == 0 || self.roles.len() >= ANNOUNCERS => false,
            Some(role) => {
                self.roles.insert(thread, role);
                true
            }
        }
    }

    /// The role of a thread that has one.
    pub(crate) fn role(&self, thread: i32) -> Option<Role> {
        self.roles.get(&thread).copied()
    }

    /// The guest was told what a name is, or has removed it.
    pub(crate) fn saw(&mut self, parent: u64, name: &CStr, seen: Seen) {
        make_room(&mut self.names);
        self.names.insert((parent, name.to_owned()), seen);
    }

    /// What the guest last saw at a name.
    pub(crate) fn seen(&self, parent: u64, name: &CStr) -> Option<Seen> {
        self.names.get(&(parent, name.to_owned())).copied()
    }

    /// What the guest saw at a name plays no part any more.
    pub(crate) fn forget(&mut self, parent: u64, name: &CStr) {
        self.names.remove(&(parent, name.to_owned()));
    }

    /// The guest has changed a file just now.
    pub(crate) fn changed(&mut self, inode: u64) {
        make_room(&mut self.changes);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.changes.insert(inode, now);
    }

    /// Whether nobody has changed a file, whose last change was at this time since 1970, after the guest.
    pub(crate) fn is_own(&self, inode: u64, changed: Duration) -> bool {
        self.changes.get(&inode).is_some_and(|own| changed <= *own)
    }

    /// A file was named to the guest once more than the inner file system knows.
    pub(crate) fn lend(&mut self, inode: u64) {
        make_room(&mut self.lent);
        *self.lent.entry(inode).or_default() += 1;
    }

    /// Of the times that the guest gives a file back, those that the inner file system knows of.
    pub(crate) fn give_back(&mut self, inode: u64, count: u64) -> u64 {
        let Some(lent) = self.lent.get_mut(&inode) else {
            return count;
        };
        let back = count.min(*lent);
        *lent -= back;
        if *lent == 0 {
            self.lent.remove(&inode);
        }
        count - back
    }
}

/// Begins anew where there would be too many entries.
fn make_room<K, V>(map: &mut HashMap<K, V>) {
    if map.len() >= LIMIT {
        map.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_change_is_the_hosts() {
        let mut view = View::default();
        let hour = Duration::from_secs(3600);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(!view.is_own(7, now));
        view.changed(7);
        assert!(view.is_own(7, now) && view.is_own(7, now - hour));
        assert!(!view.is_own(7, now + hour) && !view.is_own(8, now));
    }

    #[test]
    fn what_was_lent_comes_back_first() {
        let mut view = View::default();
        view.lend(7);
        view.lend(7);
        assert_eq!(view.give_back(8, 3), 3);
        assert_eq!(view.give_back(7, 1), 0);
        assert_eq!(view.give_back(7, 5), 4);
        assert_eq!(view.give_back(7, 5), 5);
    }

    #[test]
    fn roles_are_threads_of_the_guest() {
        let mut view = View::default();
        assert!(!view.assume(0, Some(Role::File)));
        for thread in 1..=16 {
            assert!(view.assume(thread, Role::parse(b"directory").unwrap()));
        }
        assert!(!view.assume(17, Some(Role::File)), "a guest takes no memory here");
        assert!(view.assume(3, Role::parse(b"end").unwrap()));
        assert_eq!((view.role(3), view.role(4)), (None, Some(Role::Directory)));
        assert_eq!(Role::parse(b"enD"), None);
    }

    #[test]
    fn memory_is_bounded() {
        let mut view = View::default();
        for number in 0..LIMIT as u64 + 10 {
            view.saw(number, c"x", Seen::File(number));
        }
        assert!(view.names.len() <= LIMIT);
        assert_eq!(view.seen(LIMIT as u64, c"x"), Some(Seen::File(LIMIT as u64)));
    }
}
