//! What can be wrong with layers, and with writing an image.

use std::io;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer cannot be read or is not what it should be.
    #[error("layer {layer} at byte {offset}")]
    Layer {
        /// Index of the layer, the lowest is 0.
        layer: usize,
        /// Place in the uncompressed archive.
        offset: u64,
        /// What is wrong.
        source: Fault,
    },
    /// An entry of a layer cannot be applied.
    #[error("layer {layer}, entry {path:?}")]
    Entry {
        /// Index of the layer, the lowest is 0.
        layer: usize,
        /// The entry's path as the archive has it.
        path: String,
        /// What is wrong.
        source: Fault,
    },
    /// A layer before failed, so that the image is incomplete.
    #[error("a layer could not be applied")]
    Incomplete,
    /// The image cannot be finished.
    #[error("image cannot be finished")]
    Finish(#[source] Fault),
}

/// What is wrong with a layer or an entry of it. The text is complete: there is no further source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The layer cannot be read or decompressed.
    #[error("cannot read: {0}")]
    Read(io::Error),
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Write(io::Error),
    /// The archive ends in the middle of an entry.
    #[error("archive is truncated")]
    Truncated,
    /// A header's checksum is wrong: this is not a tar archive, or a damaged one.
    #[error("not a tar header")]
    BadHeader,
    /// A number of a header is malformed or out of range.
    #[error("invalid {0}")]
    BadNumber(&'static str),
    /// An extended header is malformed.
    #[error("malformed extended header")]
    BadExtendedHeader,
    /// An extended header is larger than 1 MiB.
    #[error("extended header of {0} bytes is too large")]
    LargeExtendedHeader(u64),
    /// A sparse file's map is malformed or contradicts the file's size.
    #[error("malformed map of a sparse file")]
    BadSparseMap,
    /// The entry's type does not belong in a layer.
    #[error("unsupported entry type {0:?}")]
    UnsupportedType(char),
    /// The path leads out of the root directory.
    #[error("path leads out of the root directory")]
    Escapes,
    /// The path is empty where it must not be, or has a component with a NUL byte.
    #[error("invalid path")]
    BadPath,
    /// A component of the path is longer than 255 bytes.
    #[error("file name is longer than 255 bytes")]
    NameTooLong,
    /// The path is longer than 4096 bytes.
    #[error("path is longer than 4096 bytes")]
    PathTooLong,
    /// A symbolic link's target is empty or longer than 4095 bytes.
    #[error("symbolic link's target is empty or longer than 4095 bytes")]
    BadSymlink,
    /// A component of the path, but not the last one, is neither a directory nor a link to one.
    #[error("a parent is not a directory")]
    NotADirectory,
    /// Looking up the path passes too many symbolic links.
    #[error("too many symbolic links")]
    SymlinkLoop,
    /// A hard link's target does not exist.
    #[error("hard link to {0:?}, which does not exist")]
    MissingLinkTarget(String),
    /// A hard link's target is a directory.
    #[error("hard link to {0:?}, which is a directory")]
    LinkToDirectory(String),
    /// The root directory cannot be replaced.
    #[error("root directory cannot be replaced")]
    ReplacesRoot,
    /// An extended attribute is larger than the file system allows.
    #[error("extended attributes are too large")]
    XattrTooLarge,
    /// The layers have more bytes than allowed.
    #[error("more than {0} bytes uncompressed")]
    TooManyBytes(u64),
    /// The layers have more entries than allowed.
    #[error("more than {0} entries")]
    TooManyEntries(u64),
    /// The archive is followed by more than padding.
    #[error("data after the end of the archive")]
    TrailingData,
    /// The image needs more than 2^32 blocks.
    #[error("image is larger than 16 TiB")]
    ImageTooLarge,
    /// The uncompressed layer has another digest than the image's configuration says.
    #[error("digest is sha256:{actual}, expected sha256:{expected}")]
    WrongDiffId {
        /// The digest that the caller expected, in hexadecimal.
        expected: String,
        /// The digest of what was read, in hexadecimal.
        actual: String,
    },
}
