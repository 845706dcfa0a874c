//! Why a file system could not be written.

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a file system could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The capacity is zero.
    #[error("the file system has no capacity")]
    Empty,
    /// Capacity and journal need more than 2^32 blocks of 4096 bytes.
    #[error("{0} bytes do not fit a file system of 16 TiB")]
    TooLarge(u64),
    /// The journal has fewer than 1024 blocks.
    #[error("journal of {0} bytes is smaller than 4 MiB")]
    JournalTooSmall(u64),
    /// The journal has more blocks than its inode can describe.
    #[error("journal of {0} bytes is larger than 39 GiB")]
    JournalTooLarge(u64),
    /// The label is longer than 16 bytes.
    #[error("label {0:?} is longer than 16 bytes")]
    LabelTooLong(String),
    /// A directory's name is empty, too long, given twice or not a single component.
    #[error("invalid directory name {0:?}")]
    InvalidDirectory(String),
    /// The names of all directories do not fit one block.
    #[error("too many directories")]
    TooManyDirectories,
    /// The file could not be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}
