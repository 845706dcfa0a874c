//! Signals for threads that wait for locks of the host's files.
//!
//! virtio-fs has no interrupts: a thread that waits for such a lock would get no signal, not even the one that kills it,
//! before it has the lock. The server of the files tells which threads wait, and ends the wait of those that it is told
//! to. What the server of another host answers ends this.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::log::log;

/// Attributes of the root of what is shared: reading the first one takes until somebody waits.
const WAITING: &str = "user.container.waiting";
const INTERRUPT: &str = "user.container.interrupt";

/// Time between two looks at those who wait.
const PAUSE: Duration = Duration::from_millis(50);

/// Watches over what is mounted at `root`, for as long as its server answers.
pub(super) fn attend(root: &Path) {
    let root = root.to_owned();
    let started = std::thread::Builder::new()
        .name("lock-waits".to_owned())
        .spawn(move || {
            let mut room = [0; 4096];
            while let Ok(length) = rustix::fs::getxattr(&root, WAITING, &mut room) {
                for thread in threads(&room[..length]).filter(|thread| has_signal(*thread)) {
                    let text = thread.to_string();
                    let flags = rustix::fs::XattrFlags::empty();
                    // Whoever has the lock by now needs no interrupt.
                    let _ = rustix::fs::setxattr(&root, INTERRUPT, text.as_bytes(), flags);
                }
                std::thread::sleep(PAUSE);
            }
        });
    if let Err(error) = started {
        log!("signals will not reach processes that wait for locks of the host's files: {error}");
    }
}

/// Numbers, each followed by a space.
fn threads(text: &[u8]) -> impl Iterator<Item = u32> {
    text.split(|byte| *byte == b' ')
        .filter_map(|number| std::str::from_utf8(number).ok()?.parse().ok())
}

/// A thread that waits for an answer sleeps until it gets a signal, and cannot be woken after that.
fn has_signal(thread: u32) -> bool {
    fs::read_to_string(format!("/proc/{thread}/stat")).is_ok_and(|stat| state(&stat) == Some('D'))
}

/// The state comes after the name, which may be anything.
fn state(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_states() {
        assert_eq!(
            threads(b"7 4294967295 x 8 ").collect::<Vec<_>>(),
            [7, u32::MAX, 8]
        );
        assert_eq!(threads(b"").count(), 0);
        assert_eq!(state("7 (a ) D b) S 1 2"), Some('S'));
        assert_eq!(state("7 (sleep) D 1"), Some('D'));
        assert_eq!(state(""), None);
    }
}
