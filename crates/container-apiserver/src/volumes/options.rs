//! `--opt` of volumes (behaviour reference, 8 and 18).

use std::collections::BTreeMap;

use container_ipc::Error;
use container_resource::volume::SHARED_FORMAT;
use container_resource::{Journal, JournalMode, MemorySize};

/// Capacity unless asked otherwise, in bytes; the disk takes what is written to it.
const DEFAULT_SIZE: u64 = 512 << 30;
/// The smallest capacity, in bytes.
const MINIMUM_SIZE: u64 = 1 << 20;
/// Size of a journal unless asked otherwise, in bytes: the host gives all of it to a volume that is written a lot.
const DEFAULT_JOURNAL: u64 = 64 << 20;

/// What a volume is made like. Options that nobody knows are kept and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeOptions {
    /// It is a disk, for one machine at a time.
    Disk(DiskOptions),
    /// It is a directory of the host, for any number of machines.
    Shared,
}

/// What a volume's disk is made like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DiskOptions {
    /// Capacity in bytes.
    pub(super) size: u64,
    /// The journal: without one, a machine that is killed loses more than what it was writing.
    pub(super) journal: Journal,
}

impl VolumeOptions {
    /// The name of the volume's file system.
    pub(super) fn format(&self) -> &'static str {
        match self {
            Self::Disk(_) => "ext4",
            Self::Shared => SHARED_FORMAT,
        }
    }

    /// Capacity in bytes, if there is a limit.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Disk(disk) => Some(disk.size),
            Self::Shared => None,
        }
    }

    /// Reads `size=<size>` and `journal=<mode>[:<size>]`, or `type=shared`.
    ///
    /// # Errors
    /// One of them cannot be read or is too small.
    pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<Self, Error> {
        let invalid = |text: String| Error::invalid_argument(format!("storage error: {text}"));
        if options.get("type").is_some_and(|kind| kind == "shared") {
            if options.contains_key("size") || options.contains_key("journal") {
                let text = "a shared volume is a directory of the host: it has no size and no journal";
                return Err(invalid(text.to_owned()));
            }
            return Ok(Self::Shared);
        }
        let size = match options.get("size") {
            Some(text) => text
                .parse::<MemorySize>()
                .map_err(|error| invalid(error.to_string()))?
                .bytes(),
            None => DEFAULT_SIZE,
        };
        if size < MINIMUM_SIZE {
            return Err(invalid("volume size too small: minimum 1MiB".to_owned()));
        }
        let journal = match options.get("journal") {
            Some(text) => text.parse().map_err(|error| invalid(format!("{error}")))?,
            None => Journal {
                mode: JournalMode::Ordered,
                size: None,
            },
        };
        let size_of_journal = journal.size.unwrap_or_else(|| DEFAULT_JOURNAL.min(size / 16));
        Ok(Self::Disk(DiskOptions {
            size,
            journal: Journal {
                size: Some(size_of_journal.max(Journal::MINIMUM)),
                ..journal
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<VolumeOptions, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        VolumeOptions::parse(&options.iter().map(pair).collect()).map_err(|error| error.to_string())
    }

    fn disk(options: &[(&str, &str)]) -> DiskOptions {
        match parse(options) {
            Ok(VolumeOptions::Disk(disk)) => disk,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn directories_have_no_size() {
        assert_eq!(parse(&[("type", "shared")]), Ok(VolumeOptions::Shared));
        assert_eq!(disk(&[("type", "nfs")]).size, DEFAULT_SIZE, "nobody knows it");
        let text = "storage error: a shared volume is a directory of the host: it has no size and no journal";
        assert_eq!(parse(&[("type", "shared"), ("size", "1g")]), Err(text.to_owned()));
    }

    #[test]
    fn sizes_and_journals() {
        let made = disk(&[("size", "10g"), ("journal", "writeback:8m"), ("color", "red")]);
        assert_eq!(made.size, 10 << 30);
        assert_eq!(
            (made.journal.mode, made.journal.size),
            (JournalMode::Writeback, Some(8 << 20))
        );
        let small = disk(&[("size", "1m")]);
        assert_eq!(
            (small.journal.mode, small.journal.size),
            (JournalMode::Ordered, Some(4 << 20))
        );
        assert_eq!(disk(&[]).size, DEFAULT_SIZE);
    }

    #[test]
    fn texts() {
        for (key, value, text) in [
            (
                "size",
                "1023k",
                "storage error: volume size too small: minimum 1MiB",
            ),
            ("size", "big", "storage error: invalid size"),
            (
                "journal",
                "fast",
                "storage error: invalid journal mode 'fast': must be writeback, ordered, or journal",
            ),
        ] {
            assert_eq!(parse(&[(key, value)]).unwrap_err(), text);
        }
    }
}
