//! Journals of ext4 disks: `writeback`, `ordered` or `journal`, with an optional size (`ordered:64m`; behaviour reference,
//! sections 8 and 18).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MemorySize;
use crate::size::InvalidSize;

/// How an ext4 disk keeps its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// What passes through it.
    pub mode: JournalMode,
    /// Its size in bytes; absent means one that fits the disk.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub size: Option<u64>,
}

/// What passes through a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// Metadata; data may be written later.
    Writeback,
    /// Metadata; data is written before the metadata that refers to it.
    Ordered,
    /// Data and metadata.
    Journal,
}

/// A text that describes no journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJournal {
    /// The mode is none of the three.
    #[error("invalid journal mode '{0}': must be writeback, ordered, or journal")]
    Mode(String),
    /// The size is no size.
    #[error(transparent)]
    Size(#[from] InvalidSize),
    /// The size is below the minimum.
    #[error("journal size too small: minimum 4MiB")]
    TooSmall,
}

impl Journal {
    /// The smallest journal, in bytes.
    pub const MINIMUM: u64 = 4 << 20;
}

impl FromStr for Journal {
    type Err = InvalidJournal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mode, size) = match text.split_once(':') {
            Some((mode, size)) => (mode, Some(size.parse::<MemorySize>()?.bytes())),
            None => (text, None),
        };
        let mode = match mode {
            "writeback" => JournalMode::Writeback,
            "ordered" => JournalMode::Ordered,
            "journal" => JournalMode::Journal,
            other => return Err(InvalidJournal::Mode(other.to_owned())),
        };
        if size.is_some_and(|size| size < Self::MINIMUM) {
            return Err(InvalidJournal::TooSmall);
        }
        Ok(Self { mode, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_size() {
        let journal = |mode, size| Ok(Journal { mode, size });
        assert_eq!("ordered".parse(), journal(JournalMode::Ordered, None));
        assert_eq!(
            "writeback:8m".parse(),
            journal(JournalMode::Writeback, Some(8 << 20))
        );
        assert_eq!(
            "journal:4MiB".parse(),
            journal(JournalMode::Journal, Some(4 << 20))
        );
        let error = |text: &str| text.parse::<Journal>().map_err(|error| error.to_string()).err();
        assert_eq!(
            error("fast").as_deref(),
            Some("invalid journal mode 'fast': must be writeback, ordered, or journal")
        );
        assert_eq!(error("ordered:").as_deref(), Some("invalid size"));
        assert_eq!(
            error("ordered:1m").as_deref(),
            Some("journal size too small: minimum 4MiB")
        );
    }
}
