//! Inodes whose data is a list of extents.

use std::ops::Range;

use crate::bytes::Put;
use crate::geometry::INODE_SIZE;
use crate::{BLOCK_SIZE, Error, Result};

/// Longest run of blocks that one extent describes.
const MAX_EXTENT: u64 = 32768;
/// Extents in the inode itself.
const INLINE_EXTENTS: usize = 4;
/// Extents in one block of an extent tree.
const LEAF_EXTENTS: usize = (BLOCK_SIZE as usize - 12) / 12;

/// The inode's data is described by extents.
const EXTENTS_FLAG: u32 = 0x8_0000;
/// Bytes in use beyond the 128 of the original inode.
const EXTRA_SIZE: u16 = 32;

/// What an inode says about itself.
#[derive(Debug, Clone)]
pub(crate) struct Inode {
    /// File type and permission bits.
    pub(crate) mode: u16,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Number of names.
    pub(crate) links: u16,
    /// All time stamps, in seconds since 1970.
    pub(crate) time: u64,
    /// Length in bytes.
    pub(crate) size: u64,
    /// Blocks in use, those of the extent tree included.
    pub(crate) blocks: u64,
    /// Root of the extent tree.
    pub(crate) tree: [u8; 60],
}

impl Inode {
    /// The on-disk form.
    pub(crate) fn encode(&self) -> [u8; INODE_SIZE as usize] {
        let mut b = [0u8; INODE_SIZE as usize];
        let sectors = self.blocks * (BLOCK_SIZE / 512);
        // Two bits beyond the 32 of the classic field carry times after 2038.
        let (time, epoch) = (
            self.time as u32,
            (self.time.wrapping_add(1 << 31) >> 32) as u32 & 3,
        );
        b.le16(0x00, self.mode);
        b.le16(0x02, self.uid as u16);
        b.le32(0x04, self.size as u32);
        b.le32(0x08, time);
        b.le32(0x0c, time);
        b.le32(0x10, time);
        b.le16(0x18, self.gid as u16);
        b.le16(0x1a, self.links);
        b.le32(0x1c, sectors as u32);
        b.le32(0x20, EXTENTS_FLAG);
        b.put(0x28, &self.tree);
        b.le32(0x6c, (self.size >> 32) as u32);
        b.le16(0x74, (sectors >> 32) as u16);
        b.le16(0x78, (self.uid >> 16) as u16);
        b.le16(0x7a, (self.gid >> 16) as u16);
        b.le16(0x80, EXTRA_SIZE);
        b.le32(0x84, epoch);
        b.le32(0x88, epoch);
        b.le32(0x8c, epoch);
        b.le32(0x90, time);
        b.le32(0x94, epoch);
        b
    }
}

/// Splits runs of blocks into extents.
pub(crate) fn extents(runs: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut extents = Vec::new();
    for run in runs {
        let mut start = run.start;
        while start < run.end {
            let end = run.end.min(start + MAX_EXTENT);
            extents.push(start..end);
            start = end;
        }
    }
    extents
}

/// Whether the extents need a block of their own.
pub(crate) fn needs_leaf(extents: &[Range<u64>]) -> bool {
    extents.len() > INLINE_EXTENTS
}

/// The tree's root for the inode and the content of the leaf block, if `leaf` names one.
///
/// Fails with the total size in bytes when one leaf block does not hold all extents.
pub(crate) fn tree(extents: &[Range<u64>], leaf: Option<u64>) -> Result<([u8; 60], Option<Vec<u8>>)> {
    let mut root = [0u8; 60];
    let Some(block) = leaf else {
        node(&mut root, extents, INLINE_EXTENTS);
        return Ok((root, None));
    };
    if extents.len() > LEAF_EXTENTS {
        let blocks: u64 = extents.iter().map(|e| e.end - e.start).sum();
        return Err(Error::JournalTooLarge(blocks * BLOCK_SIZE));
    }
    header(&mut root, 1, INLINE_EXTENTS, 1);
    root.le32(16, block as u32);
    let mut content = vec![0u8; BLOCK_SIZE as usize];
    node(&mut content, extents, LEAF_EXTENTS);
    Ok((root, Some(content)))
}

fn header(node: &mut [u8], entries: usize, capacity: usize, depth: u16) {
    node.le16(0, 0xf30a);
    node.le16(2, entries as u16);
    node.le16(4, capacity as u16);
    node.le16(6, depth);
}

fn node(node: &mut [u8], extents: &[Range<u64>], capacity: usize) {
    header(node, extents.len(), capacity, 0);
    let mut logical = 0;
    for (i, extent) in extents.iter().enumerate() {
        let at = 12 * (i + 1);
        let length = extent.end - extent.start;
        node.le32(at, logical as u32);
        node.le16(at + 4, length as u16);
        node.le32(at + 8, extent.start as u32);
        logical += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_are_split() {
        let long = 0..(2 * MAX_EXTENT + 5);
        assert_eq!(
            extents(&[long, 100_000..100_001]),
            [0..32768, 32768..65536, 65536..65541, 100_000..100_001]
        );
    }

    #[test]
    fn one_leaf_is_the_limit() {
        let many: Vec<_> = (0..LEAF_EXTENTS as u64 + 1).map(|i| 2 * i..2 * i + 1).collect();
        assert!(needs_leaf(&many));
        assert!(tree(&many[1..], Some(7)).is_ok());
        assert!(matches!(tree(&many, Some(7)), Err(Error::JournalTooLarge(_))));
    }
}
