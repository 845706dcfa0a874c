//! The stored output of a container's init process.
//!
//! A log is a directory of files that are named by ascending numbers (`1.log`, `2.log`, …). The newest is written to; when
//! it is full the next one is begun, and the oldest is removed. Numbers are never used again, so that a reader that
//! follows the log goes from file to file without missing or repeating anything, also when the container is started
//! again.
//!
//! A file is a sequence of records, one per line, in the format in which Kubernetes' runtimes (CRI) keep the logs of pods:
//!
//! ```text
//! 2026-08-08T10:11:12.123456789Z stdout F a whole line of the process
//! 2026-08-08T10:11:12.234567890Z stderr P the beginning of a line that is not at its end yet
//! ```
//!
//! The line break at the end of a record belongs to the process's output after `F`, and not after `P`. The text is what the
//! process wrote, byte for byte. A record at the end of a file without a line break was cut short by a crash, or is being
//! written.

mod reader;
mod record;
mod writer;

pub use reader::{LogReader, Window};
pub use record::{Record, Stream};
pub use writer::{Limits, LogWriter};

/// The name of the log file `number`.
fn file_name(number: u64) -> String {
    format!("{number}.log")
}

/// The number of a log file, `None` for other files.
fn file_number(name: &[u8]) -> Option<u64> {
    std::str::from_utf8(name).ok()?.strip_suffix(".log")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(file_number(file_name(17).as_bytes()), Some(17));
        for name in [&b".log"[..], b"1", b"x.log", b"-1.log", b"\xff.log", b"1.log.gz"] {
            assert_eq!(file_number(name), None);
        }
    }
}
