//! Holes on Linux.

use std::fs::File;
use std::io;

use rustix::fs::{FallocateFlags, fallocate};

/// Gives the storage of a range of whole blocks back; it reads as zeros then.
pub(crate) fn punch_hole(file: &File, offset: u64, length: u64) -> io::Result<()> {
    Ok(fallocate(
        file,
        FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
        offset,
        length,
    )?)
}
