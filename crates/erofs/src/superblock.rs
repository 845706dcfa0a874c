//! The superblock.

use crate::BLOCK_SIZE;
use crate::bytes::Put;

/// Place of the superblock in the first block.
const OFFSET: usize = 1024;
const MAGIC: u32 = 0xe0f5_e1e2;
/// The superblock has a checksum; modification times are those of files, not of the image.
const COMPATIBLE: u32 = 0x1 | 0x2;

/// What the superblock says.
#[derive(Debug)]
pub(crate) struct Superblock {
    /// Number of the root directory's inode.
    pub(crate) root_nid: u16,
    /// Number of inodes.
    pub(crate) inodes: u64,
    /// Number of blocks.
    pub(crate) blocks: u32,
    /// Identity.
    pub(crate) uuid: [u8; 16],
}

impl Superblock {
    /// The first block of the image.
    pub(crate) fn encode(&self) -> [u8; BLOCK_SIZE] {
        let mut block = [0u8; BLOCK_SIZE];
        let b = &mut block[OFFSET..];
        b.le32(0, MAGIC);
        b.le32(8, COMPATIBLE);
        b[12] = BLOCK_SIZE.ilog2() as u8;
        b.le16(14, self.root_nid);
        b.le64(16, self.inodes);
        b.le32(36, self.blocks);
        b.put(48, &self.uuid);
        let checksum = crc32c(b);
        b.le32(4, checksum);
        block
    }
}

/// CRC-32C without the final inversion.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |mut crc, &byte| {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82f6_3b78
            } else {
                crc >> 1
            };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_check_string() {
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    }
}
