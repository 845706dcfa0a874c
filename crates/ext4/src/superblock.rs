//! The superblock.

use crate::bytes::Put;
use crate::geometry::{BACKUP_GROUP, BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry, INODE_SIZE};
use crate::inode::Inode;

/// First inode that is not reserved.
pub(crate) const FIRST_INODE: u32 = 11;
/// Inode of the journal.
pub(crate) const JOURNAL_INODE: u32 = 8;

/// Bytes of the superblock.
const SIZE: usize = 1024;

const COMPAT_HAS_JOURNAL: u32 = 0x4;
const COMPAT_EXT_ATTR: u32 = 0x8;
const COMPAT_DIR_INDEX: u32 = 0x20;
const COMPAT_SPARSE_SUPER2: u32 = 0x200;

const INCOMPAT_FILETYPE: u32 = 0x2;
const INCOMPAT_EXTENTS: u32 = 0x40;
const INCOMPAT_FLEX_BG: u32 = 0x200;

const RO_LARGE_FILE: u32 = 0x2;
const RO_HUGE_FILE: u32 = 0x8;
const RO_GDT_CSUM: u32 = 0x10;
const RO_DIR_NLINK: u32 = 0x20;
const RO_EXTRA_ISIZE: u32 = 0x40;

/// `user_xattr` and `acl`, as the usual tools set them.
const DEFAULT_MOUNT_OPTIONS: u32 = 0x4 | 0x8;

/// What the superblock says beyond the geometry.
#[derive(Debug)]
pub(crate) struct Superblock<'a> {
    /// Places and numbers.
    pub(crate) geometry: &'a Geometry,
    /// Blocks not in use.
    pub(crate) free_blocks: u64,
    /// Inodes not in use.
    pub(crate) free_inodes: u32,
    /// Blocks that hold metadata and journal.
    pub(crate) overhead_blocks: u64,
    /// The journal's inode.
    pub(crate) journal: Option<&'a Inode>,
    /// Bits of the journal's data mode.
    pub(crate) mount_options: u32,
    /// Identity.
    pub(crate) uuid: [u8; 16],
    /// Seed of the hashes of indexed directories.
    pub(crate) hash_seed: [u8; 16],
    /// Volume label of at most 16 bytes.
    pub(crate) label: &'a str,
    /// Time of formatting in seconds since 1970.
    pub(crate) time: u64,
}

impl Superblock<'_> {
    /// The on-disk form for the copy in a group.
    pub(crate) fn encode(&self, group: u32) -> [u8; SIZE] {
        let geometry = self.geometry;
        let time = self.time as u32;
        let mut b = [0u8; SIZE];
        b.le32(0x00, geometry.inodes());
        b.le32(0x04, geometry.blocks() as u32);
        b.le32(0x0c, self.free_blocks as u32);
        b.le32(0x10, self.free_inodes);
        b.le32(0x18, 2); // block size: 1024 << 2
        b.le32(0x1c, 2);
        b.le32(0x20, BLOCKS_PER_GROUP as u32);
        b.le32(0x24, BLOCKS_PER_GROUP as u32);
        b.le32(0x28, geometry.inodes_per_group);
        b.le32(0x30, time);
        b.le16(0x36, u16::MAX); // no check after a number of mounts
        b.le16(0x38, 0xef53);
        b.le16(0x3a, 1); // clean
        b.le16(0x3c, 1); // errors: continue
        b.le32(0x40, time);
        b.le32(0x4c, 1); // revision with inode sizes and features
        b.le32(0x54, FIRST_INODE);
        b.le16(0x58, INODE_SIZE as u16);
        b.le16(0x5a, group as u16);
        let journal = if self.journal.is_some() {
            COMPAT_HAS_JOURNAL
        } else {
            0
        };
        b.le32(
            0x5c,
            COMPAT_EXT_ATTR | COMPAT_DIR_INDEX | COMPAT_SPARSE_SUPER2 | journal,
        );
        b.le32(0x60, INCOMPAT_FILETYPE | INCOMPAT_EXTENTS | INCOMPAT_FLEX_BG);
        b.le32(
            0x64,
            RO_LARGE_FILE | RO_HUGE_FILE | RO_GDT_CSUM | RO_DIR_NLINK | RO_EXTRA_ISIZE,
        );
        b.put(0x68, &self.uuid);
        b.put(0x78, self.label.as_bytes());
        b.put(0xec, &self.hash_seed);
        b[0xfc] = 1; // half MD4
        b.le16(0xfe, DESCRIPTOR_SIZE as u16);
        b.le32(0x100, DEFAULT_MOUNT_OPTIONS | self.mount_options);
        b.le32(0x108, time);
        if let Some(inode) = self.journal {
            // A copy of the journal's inode, for repair when the inode table is damaged.
            b.le32(0xe0, JOURNAL_INODE);
            b[0xfd] = 1;
            b.put(0x10c, &inode.tree);
            b.le32(0x148, (inode.size >> 32) as u32);
            b.le32(0x14c, inode.size as u32);
        }
        b.le16(0x15c, 32); // bytes of an inode in use beyond 128: required, wanted
        b.le16(0x15e, 32);
        b.le32(0x160, 1); // directory hashes take characters as signed
        b[0x174] = geometry.log_groups_per_flex;
        b.put(0x200, b"no_prefetch_block_bitmaps");
        b.le32(0x248, self.overhead_blocks as u32);
        b.le32(
            0x24c,
            if geometry.groups > BACKUP_GROUP {
                BACKUP_GROUP
            } else {
                0
            },
        );
        b
    }
}
