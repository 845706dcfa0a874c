//! Group descriptors and their checksums.

use crate::bytes::Put;
use crate::geometry::{BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, Geometry};

/// The inode bitmap is all free and not written.
const INODE_UNINIT: u16 = 1;
/// The block bitmap follows from the geometry and is not written.
const BLOCK_UNINIT: u16 = 2;
/// The inode table reads as zeros where it is unused.
const INODE_ZEROED: u16 = 4;

/// What of a group is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Blocks in use.
    pub(crate) blocks: u64,
    /// Inodes in use, all of them at the start of the table.
    pub(crate) inodes: u32,
    /// Directories among the inodes.
    pub(crate) directories: u32,
}

/// The descriptor of a group.
pub(crate) fn descriptor(
    geometry: &Geometry,
    group: u32,
    usage: Usage,
    uuid: &[u8; 16],
) -> [u8; DESCRIPTOR_SIZE as usize] {
    let free_inodes = (geometry.inodes_per_group - usage.inodes) as u16;
    let mut flags = INODE_ZEROED;
    if usage.inodes == 0 {
        flags |= INODE_UNINIT;
    }
    // The usual tools insist on a bitmap for the last group; an unwritten one reads as all free.
    if usage.blocks == 0 && group + 1 < geometry.groups {
        flags |= BLOCK_UNINIT;
    }
    let mut d = [0u8; DESCRIPTOR_SIZE as usize];
    d.le32(0x00, geometry.block_bitmap(group) as u32);
    d.le32(0x04, geometry.inode_bitmap(group) as u32);
    d.le32(0x08, geometry.inode_table(group) as u32);
    d.le16(0x0c, (BLOCKS_PER_GROUP - usage.blocks) as u16);
    d.le16(0x0e, free_inodes);
    d.le16(0x10, usage.directories as u16);
    d.le16(0x12, flags);
    d.le16(0x1c, free_inodes); // inodes at the end of the table that were never used
    let checksum = crc16(crc16(crc16(!0, uuid), &group.to_le_bytes()), &d[..0x1e]);
    d.le16(0x1e, checksum);
    d
}

/// CRC-16 with the polynomial 0x8005, bits reflected.
fn crc16(seed: u16, bytes: &[u8]) -> u16 {
    bytes
        .iter()
        .fold(seed, |crc, &byte| crc >> 8 ^ CRC16[usize::from(crc as u8 ^ byte)])
}

const CRC16: [u16; 256] = {
    let mut table = [0u16; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xa001 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_check_string() {
        assert_eq!(crc16(0, b"123456789"), 0xbb3d); // CRC-16/ARC
    }

    #[test]
    fn an_unused_group_is_all_uninitialised() {
        let geometry = Geometry::plan(1 << 30, 0).unwrap();
        let d = descriptor(&geometry, 5, Usage::default(), &[0; 16]);
        assert_eq!(d[0x12], 7);
        assert_eq!(u16::from_le_bytes([d[0x0c], d[0x0d]]), 32768);
        assert_eq!(u16::from_le_bytes([d[0x1c], d[0x1d]]), 8192);
    }
}
