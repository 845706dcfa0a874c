#![doc = include_str!("../README.md")]
//!
//! Writer of empty ext4 file systems into sparse files.
//!
//! A container's scratch disk and every volume start as an empty ext4 file system whose size is mostly a promise. [`format`]
//! writes only what cannot be a hole: the superblock, the group descriptors, the bitmaps of groups that hold metadata, one
//! block of inodes and the directories asked for. Everything else, inode tables and journal included, stays unallocated on
//! the host and reads as the zeros that an initialised table or log consists of.
//!
//! The identity follows section 31 of the behaviour reference (block size, inode size, whole block groups, journal sizes,
//! `sparse_super2`). What differs, and why:
//!
//! * `uninit_bg` (group descriptor checksums) is on: it lets bitmaps stay unwritten, so that formatting does not depend on
//!   the size, and all inode tables are marked zeroed, so that no guest kernel starts a thread to write them.
//! * `dir_index` and `dir_nlink` are on: directories with many entries are common in container images.
//! * `metadata_csum` stays off: it costs processor time for every block of metadata, most of all under software emulation,
//!   and guards against a medium that is, here, a file on a host which has its own protection.
//! * Inode tables and bitmaps are packed (`flex_bg`) in groups as large as half a block group holds, which keeps the number of
//!   bitmaps that have to exist small.
//! * The superblock asks for `no_prefetch_block_bitmaps`: building thousands of bitmaps of empty groups in the background
//!   costs a small VM memory and start-up time and gains it nothing.

mod bytes;
mod directory;
mod error;
mod format;
mod geometry;
mod group;
mod inode;
mod journal;
mod space;
mod superblock;

pub use container_resource::JournalMode;
pub use error::{Error, Result};
pub use format::format;

/// Size of a file system block in bytes.
pub const BLOCK_SIZE: u64 = 4096;

/// What to format.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// Requested capacity in bytes, not counting the journal. Journal and capacity together are rounded up to whole block
    /// groups of 128 MiB.
    pub size_bytes: u64,
    /// The journal, or `None` for a file system without one.
    pub journal: Option<Journal>,
    /// Volume label, at most 16 bytes.
    pub label: &'a str,
    /// Identity of the file system; `None` draws a random UUID.
    pub uuid: Option<[u8; 16]>,
    /// Owner of the root directory.
    pub root_uid: u32,
    /// Group of the root directory.
    pub root_gid: u32,
    /// Permission bits of the root directory.
    pub root_mode: u16,
    /// Whether the root directory gets a `lost+found` (mode 0700).
    pub lost_found: bool,
    /// Directories that the root directory holds from the start.
    pub directories: &'a [Directory<'a>],
}

impl<'a> Options<'a> {
    /// Options for a capacity in bytes: no journal, no label, random UUID, root directory 0755 owned by root, empty.
    pub fn new(size_bytes: u64) -> Self {
        Options {
            size_bytes,
            journal: None,
            label: "",
            uuid: None,
            root_uid: 0,
            root_gid: 0,
            root_mode: 0o755,
            lost_found: false,
            directories: &[],
        }
    }
}

/// A directory that exists from the start, directly below the root directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directory<'a> {
    /// A single path component of 1 to 255 bytes.
    pub name: &'a str,
    /// Permission bits.
    pub mode: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl<'a> Directory<'a> {
    /// A directory of mode 0755 owned by root.
    pub const fn new(name: &'a str) -> Self {
        Directory {
            name,
            mode: 0o755,
            uid: 0,
            gid: 0,
        }
    }
}

/// How the journal is used and how large it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Journal {
    /// Data mode that the superblock names as the default mount option.
    pub mode: JournalMode,
    /// Size in bytes, truncated to whole blocks, at least 4 MiB. `None`: 1/64 of the capacity between 4 MiB and 128 MiB, and
    /// 1 GiB for capacities above 128 GiB.
    pub size: Option<u64>,
}

/// What was formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Length of the file and of the file system in bytes.
    pub size_bytes: u64,
    /// Size of the journal in bytes, 0 without one.
    pub journal_bytes: u64,
    /// Number of inodes, the reserved ones included.
    pub inodes: u32,
    /// Blocks of 4096 bytes that files can use.
    pub free_blocks: u64,
    /// Identity of the file system.
    pub uuid: [u8; 16],
}
