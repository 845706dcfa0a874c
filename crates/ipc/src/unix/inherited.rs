//! A listening socket from whoever started this process.

use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The descriptor of the socket, the number that systemd and launchd use.
pub const LISTENER_FD: i32 = 3;

/// The variable that tells a service that it was given a listening socket; it means this one start, and is `1` then.
pub const LISTENER_VARIABLE: &str = "CONTAINER_LISTEN_FDS";

/// The socket, for whoever asks first.
pub(super) fn take() -> Option<OwnedFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let is_there = std::env::var(LISTENER_VARIABLE).as_deref() == Ok("1");
    if !is_there || TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    // SAFETY: the variable says that whoever started this process left an open descriptor of this number to it, and
    // nothing else in this process takes it.
    Some(unsafe { OwnedFd::from_raw_fd(LISTENER_FD) })
}
