use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of a log that are looked at.
const TAIL: u64 = 16 * 1024;

/// Lines of a log that a message quotes.
const LINES: usize = 12;

const PANIC: &str = "Kernel panic - not syncing: ";

/// The end of a boot log, for messages: what the guest wrote to its console last, without control characters.
#[derive(Debug, Clone)]
pub struct BootLog(String);

impl BootLog {
    /// Reads the end of the log, but nothing before byte `from`, where this boot began. Empty when it cannot be read.
    #[must_use]
    pub fn read(path: &Path, from: u64) -> Self {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(path) {
            let length = file.metadata().map_or(0, |metadata| metadata.len());
            let start = from.max(length.saturating_sub(TAIL));
            if file.seek(SeekFrom::Start(start)).is_ok() {
                // A log that ends early is still worth quoting.
                let _ = file.take(TAIL).read_to_end(&mut bytes);
            }
        }
        Self::parse(&bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(printable(&String::from_utf8_lossy(bytes)))
    }

    /// The last dozen lines that are not blank.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let mut lines: Vec<_> = self.lines().rev().take(LINES).collect();
        lines.reverse();
        lines.join("\n")
    }

    /// What the kernel said when it panicked, and the lines that follow.
    #[must_use]
    pub fn panic(&self) -> Option<(&str, String)> {
        let mut lines = self
            .lines()
            .skip_while(|line| !line.contains(PANIC))
            .take(LINES)
            .peekable();
        let (_, message) = lines.peek()?.split_once(PANIC)?;
        Some((message.trim_end(), lines.collect::<Vec<_>>().join("\n")))
    }

    fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.lines().filter(|line| !line.trim().is_empty())
    }
}

/// The guest chooses these bytes: none of them may steer the terminal they end up on.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_quoted() {
        let text: String = (0..40).map(|number| format!("line {number}\r\n\r\n")).collect();
        let lines = BootLog::parse(text.as_bytes()).last_lines();
        assert!(
            lines.starts_with("line 28\n") && lines.ends_with("\nline 39"),
            "{lines}"
        );
    }

    #[test]
    fn a_panic_is_found() {
        let log = BootLog::parse(
            b"[    1.5] VFS: Unable to mount\n\n[    1.6] Kernel panic - not syncing: No working init found.\r\n[    1.7] CPU: 0\n",
        );
        assert_eq!(
            log.panic(),
            Some((
                "No working init found.",
                "[    1.6] Kernel panic - not syncing: No working init found.
[    1.7] CPU: 0"
                    .to_owned()
            ))
        );
        assert_eq!(BootLog::parse(b"all is well\n").panic(), None);
    }

    #[test]
    fn only_this_boot_is_read() {
        let path = std::env::temp_dir().join(format!("container-boot-log-{}", std::process::id()));
        std::fs::write(&path, "Kernel panic - not syncing: old\nnew\n").unwrap();
        let log = BootLog::read(&path, 32);
        assert_eq!((log.panic(), log.last_lines().as_str()), (None, "new"));
        let log = BootLog::read(&path, 1000);
        assert_eq!(log.last_lines(), "");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(BootLog::read(&path, 0).last_lines(), "");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            BootLog::parse(b"\x1b]0;title\x07red\x9b31m \xff").last_lines(),
            "]0;titlered\u{fffd}31m \u{fffd}"
        );
    }
}
