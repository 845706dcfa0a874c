//! Holes on macOS.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Gives the storage of a range of whole blocks back; it reads as zeros then.
pub(crate) fn punch_hole(file: &File, offset: u64, length: u64) -> io::Result<()> {
    let range = libc::fpunchhole_t {
        fp_flags: 0,
        reserved: 0,
        fp_offset: offset as libc::off_t,
        fp_length: length as libc::off_t,
    };
    // SAFETY: the descriptor is open, and F_PUNCHHOLE reads one fpunchhole_t, which lives until the call returns.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PUNCHHOLE, &raw const range) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
