//! Processes on Linux.

mod process;

pub(crate) use process::{Process, boot_id, start_time};

/// Marks every descriptor above standard error close-on-exec, also those that the starter was given without
/// that mark: a service would hold them for ever. Called between fork and exec.
pub(crate) fn keep_descriptors_private() {
    // SAFETY: takes three numbers. Where the call is missing (before Linux 5.11) descriptors keep the mark
    // that they have.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}
