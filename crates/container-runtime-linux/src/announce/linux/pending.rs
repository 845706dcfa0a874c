//! Changes that were not announced yet, without what the guest need not hear.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use container_sandbox::proto::AnnouncedChange;
use container_sandbox::proto::announced_change::Kind;

/// Changes that are kept. A tree that is unpacked or checked out makes more at once.
const LIMIT: usize = 4096;

/// Something that is shared, and a path below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Which of the things that are shared.
    pub share: usize,
    /// Relative to the shared directory; empty for the directory, or the file, itself.
    pub path: PathBuf,
}

/// What was done to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Where.
    pub place: Place,
    /// What.
    pub kind: Kind,
    /// Its type, as in `st_mode`.
    pub file_type: u32,
    /// Where it was, for what was moved.
    pub from: PathBuf,
}

impl Change {
    /// As the agent wants it; `root` is where in the guest the share is, and `prefix` what comes before its paths.
    pub(super) fn message(&self, root: &str, prefix: &Path) -> AnnouncedChange {
        let bytes = |path: &Path| match prefix.as_os_str().is_empty() {
            true => path.as_os_str().as_bytes().to_vec(),
            false => prefix.as_os_str().as_bytes().to_vec(),
        };
        AnnouncedChange {
            root: root.to_owned(),
            path: bytes(&self.place.path),
            kind: self.kind.into(),
            file_type: self.file_type,
            from: self.from.as_os_str().as_bytes().to_vec(),
        }
    }
}

/// A list of changes, each of which says something new.
#[derive(Debug, Default)]
pub(super) struct Pending {
    changes: Vec<Option<Change>>,
    /// Where in the list the changes of a place are.
    places: HashMap<Place, Vec<usize>>,
    /// How many were left out because there were too many.
    pub dropped: usize,
}

impl Pending {
    /// Adds a change.
    pub(super) fn push(&mut self, change: Change) {
        match change.kind {
            Kind::Deleted => {
                let earlier = self.take(&change.place);
                // What came and went is nobody's business, unless it took the place of something.
                let first = earlier.first().map(|change| change.kind);
                if first == Some(Kind::Created) && earlier.iter().all(|change| change.kind != Kind::Moved) {
                    return;
                }
            }
            Kind::Moved => {
                let from = Place {
                    share: change.place.share,
                    path: change.from.clone(),
                };
                // Nothing is left there to tell of but that it went away, even if the guest never knew it.
                let earlier = self.take(&from);
                if let Some(earlier) = earlier.into_iter().find(|change| change.kind == Kind::Moved) {
                    self.add(earlier);
                }
            }
            Kind::Modified | Kind::Attributes => {
                let says_it = |earlier: &Change| match earlier.kind {
                    Kind::Modified => true,
                    Kind::Attributes | Kind::Created => change.kind == Kind::Attributes,
                    Kind::Deleted | Kind::Moved => false,
                };
                if self.of(&change.place).any(says_it) {
                    return;
                }
            }
            Kind::Created => {}
        }
        self.add(change);
    }

    /// All changes, in their order.
    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes.into_iter().flatten().collect()
    }

    fn of(&self, place: &Place) -> impl Iterator<Item = &Change> {
        let indices = self.places.get(place).into_iter().flatten();
        indices.filter_map(|index| self.changes[*index].as_ref())
    }

    fn take(&mut self, place: &Place) -> Vec<Change> {
        let indices = self.places.remove(place).unwrap_or_default();
        indices
            .into_iter()
            .filter_map(|index| self.changes[index].take())
            .collect()
    }

    fn add(&mut self, change: Change) {
        if self.changes.len() >= LIMIT {
            self.dropped += 1;
            return;
        }
        let indices = self.places.entry(change.place.clone()).or_default();
        indices.push(self.changes.len());
        self.changes.push(Some(change));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: Kind, path: &str, from: &str) -> Change {
        Change {
            place: Place {
                share: 0,
                path: path.into(),
            },
            kind,
            file_type: 0,
            from: from.into(),
        }
    }

    fn left(changes: impl IntoIterator<Item = Change>) -> Vec<(Kind, PathBuf)> {
        let mut pending = Pending::default();
        for change in changes {
            pending.push(change);
        }
        let changes = pending.into_changes();
        changes
            .into_iter()
            .map(|change| (change.kind, change.place.path))
            .collect()
    }

    #[test]
    fn a_write_is_told_once() {
        let told = left([
            change(Kind::Created, "a", ""),
            change(Kind::Modified, "a", ""),
            change(Kind::Attributes, "a", ""),
            change(Kind::Modified, "a", ""),
            change(Kind::Modified, "b", ""),
        ]);
        let expected = [(Kind::Created, "a"), (Kind::Modified, "a"), (Kind::Modified, "b")];
        assert_eq!(told, expected.map(|(kind, path)| (kind, path.into())));
    }

    #[test]
    fn what_came_and_went_is_not_told() {
        let passing = [
            change(Kind::Created, "a~", ""),
            change(Kind::Modified, "a~", ""),
            change(Kind::Deleted, "a~", ""),
        ];
        assert_eq!(left(passing), []);
        let replaced = [
            change(Kind::Deleted, "a", ""),
            change(Kind::Created, "a", ""),
            change(Kind::Deleted, "a", ""),
            change(Kind::Modified, "b", ""),
            change(Kind::Deleted, "b", ""),
        ];
        let expected = [(Kind::Deleted, "a"), (Kind::Deleted, "b")];
        assert_eq!(left(replaced), expected.map(|(kind, path)| (kind, path.into())));
    }

    #[test]
    fn an_atomic_save_is_a_move() {
        let saved = [
            change(Kind::Created, "a.tmp", ""),
            change(Kind::Modified, "a.tmp", ""),
            change(Kind::Moved, "a", "a.tmp"),
            change(Kind::Modified, "a", ""),
        ];
        let expected = [(Kind::Moved, "a"), (Kind::Modified, "a")];
        assert_eq!(left(saved), expected.map(|(kind, path)| (kind, path.into())));
    }

    #[test]
    fn the_list_is_bounded() {
        let mut pending = Pending::default();
        for number in 0..LIMIT + 3 {
            pending.push(change(Kind::Modified, &number.to_string(), ""));
        }
        assert_eq!((pending.dropped, pending.into_changes().len()), (3, LIMIT));
    }
}
