//! Where the parts of a file system of a given size lie.

use std::ops::Range;

use crate::{BLOCK_SIZE, Error, Result};

/// Blocks in a block group: as many as one bitmap block has bits.
pub(crate) const BLOCKS_PER_GROUP: u64 = 8 * BLOCK_SIZE;
/// Bytes of an inode.
pub(crate) const INODE_SIZE: u64 = 256;
/// Bytes of a group descriptor.
pub(crate) const DESCRIPTOR_SIZE: u64 = 32;
/// The group that holds the only copy of superblock and descriptors.
pub(crate) const BACKUP_GROUP: u32 = 1;

const GROUP_BYTES: u64 = BLOCKS_PER_GROUP * BLOCK_SIZE;
/// Block numbers are 32 bits wide; one group is kept in reserve for a large journal.
const MAX_GROUPS: u64 = (1 << 32) / BLOCKS_PER_GROUP - 2;
/// More than the directories that exist from the start can take.
const SPARE_BLOCKS: u64 = 512;

/// Numbers and places of groups, bitmaps and inode tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Number of block groups, all of them whole.
    pub(crate) groups: u32,
    /// Inodes in each group.
    pub(crate) inodes_per_group: u32,
    /// Binary logarithm of the number of groups whose bitmaps and inode tables lie together.
    pub(crate) log_groups_per_flex: u8,
}

impl Geometry {
    /// Plans a file system of `capacity` bytes next to a journal of `journal` bytes.
    pub(crate) fn plan(capacity: u64, journal: u64) -> Result<Self> {
        if capacity == 0 {
            return Err(Error::Empty);
        }
        let groups = capacity
            .checked_add(journal)
            .map(|bytes| bytes.div_ceil(GROUP_BYTES))
            .filter(|&groups| groups <= MAX_GROUPS)
            .ok_or(Error::TooLarge(capacity))?;
        let bytes_per_inode: u64 = match capacity {
            0..0x2000_0000 => 8 << 10,                   // below 512 MiB
            0x2000_0000..0x10_0000_0000 => 16 << 10,     // below 64 GiB
            0x10_0000_0000..0x100_0000_0000 => 32 << 10, // below 1 TiB
            _ => 64 << 10,
        };
        let inodes_per_group = GROUP_BYTES / bytes_per_inode;
        let table = inodes_per_group * INODE_SIZE / BLOCK_SIZE;
        let mut geometry = Geometry {
            groups: groups as u32,
            inodes_per_group: inodes_per_group as u32,
            log_groups_per_flex: (BLOCKS_PER_GROUP / 2 / table).ilog2() as u8,
        };
        // A journal that fills up the groups would leave no room for their metadata.
        let needed = (journal + capacity / 2) / BLOCK_SIZE + SPARE_BLOCKS;
        while geometry.blocks() - geometry.metadata_blocks() < needed {
            geometry.groups += 1;
        }
        Ok(geometry)
    }

    /// Blocks of all metadata at fixed places.
    pub(crate) fn metadata_blocks(&self) -> u64 {
        self.metadata().iter().map(|range| range.end - range.start).sum()
    }

    /// Blocks of the whole file system.
    pub(crate) fn blocks(&self) -> u64 {
        u64::from(self.groups) * BLOCKS_PER_GROUP
    }

    /// Inodes of the whole file system.
    pub(crate) fn inodes(&self) -> u32 {
        self.groups * self.inodes_per_group
    }

    /// Blocks of the group descriptor table.
    pub(crate) fn descriptor_blocks(&self) -> u64 {
        (u64::from(self.groups) * DESCRIPTOR_SIZE).div_ceil(BLOCK_SIZE)
    }

    /// Blocks of one group's inode table.
    pub(crate) fn table_blocks(&self) -> u64 {
        u64::from(self.inodes_per_group) * INODE_SIZE / BLOCK_SIZE
    }

    /// Groups whose bitmaps and inode tables lie together.
    pub(crate) fn groups_per_flex(&self) -> u32 {
        1 << self.log_groups_per_flex
    }

    /// First block of a group.
    pub(crate) fn group_start(group: u32) -> u64 {
        u64::from(group) * BLOCKS_PER_GROUP
    }

    /// Superblock and descriptors at the start of a group: empty for most groups.
    pub(crate) fn superblock_range(&self, group: u32) -> Range<u64> {
        let start = Self::group_start(group);
        let holds = group == 0 || group == BACKUP_GROUP && self.groups > BACKUP_GROUP;
        start..start + if holds { 1 + self.descriptor_blocks() } else { 0 }
    }

    /// Bitmaps and inode tables of the flex group that `group` belongs to.
    pub(crate) fn flex_range(&self, group: u32) -> Range<u64> {
        let first = group - group % self.groups_per_flex();
        let members = self.groups_per_flex().min(self.groups - first);
        let start = self.superblock_range(first).end;
        start..start + u64::from(members) * (2 + self.table_blocks())
    }

    /// The block that holds a group's block bitmap.
    pub(crate) fn block_bitmap(&self, group: u32) -> u64 {
        self.flex_range(group).start + u64::from(group % self.groups_per_flex())
    }

    /// The block that holds a group's inode bitmap.
    pub(crate) fn inode_bitmap(&self, group: u32) -> u64 {
        self.block_bitmap(group) + self.members(group)
    }

    /// The first block of a group's inode table.
    pub(crate) fn inode_table(&self, group: u32) -> u64 {
        let index = u64::from(group % self.groups_per_flex());
        self.flex_range(group).start + 2 * self.members(group) + index * self.table_blocks()
    }

    /// All metadata at fixed places, in ascending order.
    pub(crate) fn metadata(&self) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        ranges.push(self.superblock_range(0).start..self.flex_range(0).end);
        let backup = self.superblock_range(BACKUP_GROUP);
        if !backup.is_empty() {
            ranges.push(backup);
        }
        let flex = self.groups_per_flex();
        ranges.extend(
            (flex..self.groups)
                .step_by(flex as usize)
                .map(|group| self.flex_range(group)),
        );
        ranges
    }

    fn members(&self, group: u32) -> u64 {
        let first = group - group % self.groups_per_flex();
        u64::from(self.groups_per_flex().min(self.groups - first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_is_one_group() {
        let g = Geometry::plan(1, 0).unwrap();
        assert_eq!((g.groups, g.blocks(), g.inodes()), (1, 32768, 16384));
        assert_eq!(g.superblock_range(0), 0..2);
        assert_eq!(g.block_bitmap(0), 2);
        assert_eq!(g.inode_bitmap(0), 3);
        assert_eq!(g.inode_table(0), 4);
        assert_eq!(g.metadata().first(), Some(&(0..4 + 1024)));
    }

    #[test]
    fn parts_do_not_overlap_and_stay_inside_their_first_group() {
        for capacity in [
            1,
            300 << 20,
            600 << 20,
            5 << 30,
            65 << 30,
            513 << 30,
            1 << 40,
            8 << 40,
            15 << 40,
        ] {
            let g = Geometry::plan(capacity, 1 << 30).unwrap();
            let ranges = g.metadata();
            assert!(ranges.windows(2).all(|w| w[0].end <= w[1].start));
            for r in &ranges {
                assert!(r.end - r.start <= 3 * BLOCKS_PER_GROUP / 4, "{capacity}: {r:?}");
                assert_eq!(r.start / BLOCKS_PER_GROUP, (r.end - 1) / BLOCKS_PER_GROUP);
            }
            let last = g.groups - 1;
            assert_eq!(g.inode_table(last) + g.table_blocks(), g.flex_range(last).end);
        }
    }

    #[test]
    fn limits() {
        assert!(matches!(Geometry::plan(0, 0), Err(Error::Empty)));
        assert!(matches!(Geometry::plan(16 << 40, 0), Err(Error::TooLarge(_))));
        assert!(matches!(Geometry::plan(u64::MAX, 1), Err(Error::TooLarge(_))));
        assert!(Geometry::plan((16 << 40) - 2 * GROUP_BYTES, 0).is_ok());
    }
}
