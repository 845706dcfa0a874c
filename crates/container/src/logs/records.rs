//! A container's output, as it was stored: byte for byte, from both of its streams in the order in which they came.

use std::io;
use std::os::fd::OwnedFd;

use container_client::stdio_log::{LogReader, Record, Window};
use container_resource::time::Timestamp;

use super::FOLLOW;
use crate::log;
use crate::output::print_bytes;

/// How much is printed at once, in bytes.
const BLOCK: usize = 64 * 1024;

/// What of a log is shown, and how.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// Only the last lines, so many of them.
    pub lines: Option<usize>,
    /// Also what is added, until a signal comes or the container is deleted.
    pub follow: bool,
    /// Only what was stored since then.
    pub since: Option<Timestamp>,
    /// Only what was stored before then.
    pub until: Option<Timestamp>,
    /// Each line begins with the time at which it was stored.
    pub timestamps: bool,
}

/// Prints the log in `directory`.
///
/// # Errors
/// The log cannot be read.
pub async fn show(directory: OwnedFd, view: View) -> io::Result<()> {
    let window = Window::new(view.since, view.until);
    let mut log = LogReader::new(directory);
    if let Some(lines) = view.lines {
        log.seek_last_lines(lines, &window)?;
    }
    let mut printer = Printer::new(view.timestamps);
    let mut skipped = 0;
    loop {
        // What is written after this question may belong to the future, too.
        let over = view.until.is_some_and(|until| Timestamp::now() >= until) || log.is_deleted()?;
        while let Some(record) = log.next_record()? {
            if window.contains(&record) {
                printer.add(&record);
            }
        }
        printer.flush();
        if log.skipped() > skipped {
            skipped = log.skipped();
            log::info("some output was removed before it could be shown", &[]);
        }
        if over || !view.follow {
            return Ok(());
        }
        tokio::time::sleep(FOLLOW).await;
    }
}

/// Collects text for standard output.
#[derive(Debug)]
struct Printer {
    timestamps: bool,
    at_line_start: bool,
    text: Vec<u8>,
}

impl Printer {
    fn new(timestamps: bool) -> Self {
        Self {
            timestamps,
            at_line_start: true,
            text: Vec::new(),
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        if self.timestamps && self.at_line_start {
            self.text.extend_from_slice(record.stamp);
            self.text.push(b' ');
        }
        self.text.extend_from_slice(record.text);
        self.text.extend(record.ends_line.then_some(b'\n'));
        self.at_line_start = record.ends_line;
        if self.text.len() >= BLOCK {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            print_bytes(&self.text);
            self.text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use container_client::stdio_log::Stream;

    use super::*;

    fn printed(timestamps: bool, pieces: &[(&[u8], bool)]) -> Vec<u8> {
        let mut printer = Printer::new(timestamps);
        for (text, ends_line) in pieces {
            printer.add(&Record {
                stamp: b"then",
                stream: Stream::Stderr,
                ends_line: *ends_line,
                text,
            });
        }
        printer.text
    }

    #[test]
    fn times_stand_at_the_beginning_of_lines() {
        let pieces: [(&[u8], bool); 4] = [(b"a", false), (b"b", true), (b"", true), (b"\xff", false)];
        assert_eq!(printed(true, &pieces), b"then ab\nthen \nthen \xff");
        assert_eq!(printed(false, &pieces), b"ab\n\n\xff");
    }
}
