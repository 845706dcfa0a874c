#![doc = include_str!("../README.md")]
//!
//! # How it works
//!
//! Layers are applied bottom-up, each while it is being decompressed, and every byte of file data is written once, at its
//! final place. What stays in memory is the tree of names: of a file only the place of its inode, of a directory also its
//! metadata, since a later layer may change that. A file's inode (with extended attributes, and its content as far as that
//! fits the inode's block) is written as soon as the file has been read: a layer that changes a file brings the whole file,
//! which is then a new inode. Directories come after the last layer, when their content is known; then the link counts of
//! inodes with several names are corrected; the superblock is last, so that a file without one is no image.
//!
//! When a layer replaces or removes a file of a lower one, the data is already there. It becomes a hole in the output.
//! Applying layers top-down would avoid writing it, but needs all layers before the first can be applied, while pulling an
//! image and unpacking it overlap when the layers can be applied in order as they arrive.
//!
//! ```text
//! block 0        superblock at byte 1024
//! block 1…       inode of the root directory (a nid of 16 bits has to reach it)
//! block 80…      file data in runs of blocks, between them chunks of inodes
//! …              inodes of directories, content of directories
//! ```
//!
//! The metadata area starts at block 0: a nid is a byte offset divided by 32. Blocks have 4096 bytes; all inodes are extended
//! ones; blocks of zeros are not written, so that they are holes on a host file system with sparse files.
//!
//! Decompression runs in a thread of its own. Layers are hostile input: every length and number is checked, nothing is ever
//! looked up in or written to the host's file system but the output file, and what an archive can make this crate allocate
//! is bounded by [`Options`].

mod apply;
mod builder;
mod bytes;
mod directory;
mod error;
mod finish;
mod inode;
mod output;
mod path;
mod platform;
mod stream;
mod superblock;
pub mod tar;
mod tree;
mod xattr;

pub use builder::Builder;
pub use error::{Error, Fault, Result};

/// Bytes of a block.
pub(crate) const BLOCK_SIZE: usize = 4096;

/// Limits against hostile layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Most bytes that all layers may have together when uncompressed.
    pub max_bytes: u64,
    /// Most entries in all archives together, and most inodes in the tree at any time.
    pub max_entries: u64,
}

impl Default for Options {
    /// 256 GiB and 4,000,000 entries.
    fn default() -> Self {
        Options {
            max_bytes: 256 << 30,
            max_entries: 4_000_000,
        }
    }
}

/// What a layer contained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSummary {
    /// SHA-256 of the uncompressed archive.
    pub diff_id: [u8; 32],
    /// Bytes of the uncompressed archive.
    pub bytes: u64,
    /// Entries of the archive, whiteouts included.
    pub entries: u64,
}

/// What an image contains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Length of the image in bytes; holes are counted.
    pub bytes: u64,
    /// Number of inodes.
    pub inodes: u64,
    /// Identity, which follows from the layers' contents.
    pub uuid: [u8; 16],
}
