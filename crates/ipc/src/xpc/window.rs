//! How much may be under way in one direction of a connection.
//!
//! libxpc queues what is sent without bound. The receiving side therefore answers each message once it has been taken,
//! and the sending side waits while too much of what it sent is unanswered.

/// What may be under way, in KiB.
pub(super) const WINDOW: usize = 1024;

/// The part of the window that a message of so many bytes takes. One that is larger than the window goes alone.
pub(super) fn places(bytes: usize) -> u32 {
    u32::try_from((bytes >> 10) + 1).map_or(WINDOW as u32, |places| places.min(WINDOW as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_MESSAGE_BYTES;

    #[test]
    fn small_messages_share_the_window_and_large_ones_go_alone() {
        assert_eq!(places(0), 1);
        assert_eq!(places(1023), 1);
        assert_eq!(places(1024), 2);
        assert_eq!(places(WINDOW << 10), WINDOW as u32);
        assert_eq!(places(MAX_MESSAGE_BYTES), WINDOW as u32);
        assert_eq!(places(usize::MAX), WINDOW as u32);
    }
}
