//! The journal's size and its own superblock.

use crate::bytes::Put;
use crate::{BLOCK_SIZE, Error, Journal, JournalMode, Result};

/// Fewest blocks that the kernel accepts as a journal.
const MIN_BLOCKS: u64 = 1024;
/// Most blocks of a journal, the limit of the usual tools too.
const MAX_BLOCKS: u64 = 10_240_000;

/// Blocks of the journal that belongs to a capacity in bytes, 0 without a journal.
pub(crate) fn blocks(journal: Option<Journal>, capacity: u64) -> Result<u64> {
    let Some(journal) = journal else { return Ok(0) };
    let default = if capacity > 128 << 30 {
        1 << 30
    } else {
        (capacity / 64).clamp(4 << 20, 128 << 20)
    };
    let bytes = journal.size.unwrap_or(default);
    match bytes / BLOCK_SIZE {
        0..MIN_BLOCKS => Err(Error::JournalTooSmall(bytes)),
        blocks @ MIN_BLOCKS..=MAX_BLOCKS => Ok(blocks),
        _ => Err(Error::JournalTooLarge(bytes)),
    }
}

/// The bits of the default mount options that name the data mode.
pub(crate) fn mount_option(mode: JournalMode) -> u32 {
    match mode {
        JournalMode::Journal => 0x20,
        JournalMode::Ordered => 0x40,
        JournalMode::Writeback => 0x60,
    }
}

/// The first block of an empty log of `blocks` blocks; all others are zeros.
pub(crate) fn superblock(blocks: u64) -> Vec<u8> {
    let mut b = vec![0u8; BLOCK_SIZE as usize];
    b.be32(0x00, 0xc03b_3998);
    b.be32(0x04, 4); // superblock, version 2
    b.be32(0x0c, BLOCK_SIZE as u32);
    b.be32(0x10, blocks as u32);
    b.be32(0x14, 1); // first block of the log
    b.be32(0x18, 1); // first transaction
    b.be32(0x40, 1); // users
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(size: Option<u64>, capacity: u64) -> Result<u64> {
        blocks(
            Some(Journal {
                mode: JournalMode::Ordered,
                size,
            }),
            capacity,
        )
    }

    #[test]
    fn default_sizes() {
        assert_eq!(size(None, 1 << 20).unwrap(), 1024);
        assert_eq!(size(None, 512 << 20).unwrap(), 2048);
        assert_eq!(size(None, 128 << 30).unwrap(), 32768);
        assert_eq!(size(None, (128 << 30) + 1).unwrap(), 262_144);
        assert_eq!(blocks(None, 1 << 40).unwrap(), 0);
    }

    #[test]
    fn explicit_sizes() {
        assert_eq!(size(Some((4 << 20) + 4095), 1 << 20).unwrap(), 1024);
        assert!(matches!(
            size(Some((4 << 20) - 1), 1 << 20),
            Err(Error::JournalTooSmall(_))
        ));
        assert!(matches!(
            size(Some(40 << 30), 1 << 40),
            Err(Error::JournalTooLarge(_))
        ));
    }
}
