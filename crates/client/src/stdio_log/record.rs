//! One record of a log: `<time> <stream> <F|P> <text>`.

use container_resource::time::Timestamp;

/// The length of a time in a record, in bytes: always nine decimals, so that times compare as their bytes do.
const STAMP_LENGTH: usize = "2026-08-08T10:11:12.123456789Z".len();

/// Which of its two output streams a process wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output; everything when the process has a terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One piece of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When it was stored, as the format above says.
    pub stamp: &'a [u8],
    /// Where it was written to.
    pub stream: Stream,
    /// Whether a line break follows the text.
    pub ends_line: bool,
    /// What was written.
    pub text: &'a [u8],
}

/// `time` as records have it.
pub(super) fn stamp(time: Timestamp) -> String {
    format!("{time:.9}")
}

/// Appends the records for `chunk` to `log`.
pub(super) fn encode(log: &mut Vec<u8>, stamp: &str, stream: Stream, chunk: &[u8]) {
    let stream: &[u8] = match stream {
        Stream::Stdout => b" stdout ",
        Stream::Stderr => b" stderr ",
    };
    for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
        log.extend_from_slice(stamp.as_bytes());
        log.extend_from_slice(stream);
        let whole = piece.ends_with(b"\n");
        log.extend_from_slice(if whole { b"F " } else { b"P " });
        log.extend_from_slice(piece);
        if !whole {
            log.push(b'\n');
        }
    }
}

/// Reads a record without its line break; `None` when it is none.
pub(super) fn parse(line: &[u8]) -> Option<Record<'_>> {
    let (stamp, rest) = line.split_at_checked(STAMP_LENGTH)?;
    let (stream, rest) = match rest.split_at_checked(8)? {
        (b" stdout ", rest) => (Stream::Stdout, rest),
        (b" stderr ", rest) => (Stream::Stderr, rest),
        _ => return None,
    };
    let (ends_line, text) = match rest.split_at_checked(2)? {
        (b"F ", text) => (true, text),
        (b"P ", text) => (false, text),
        _ => return None,
    };
    Some(Record {
        stamp,
        stream,
        ends_line,
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        let stamp = stamp(Timestamp::from_millisecond(1_786_183_872_250).unwrap_or_default());
        assert_eq!(stamp, "2026-08-08T10:11:12.250000000Z");
        let bytes: Vec<u8> = (0..=255).chain(*b"\n\n\r\n\0tail").collect();
        let mut log = Vec::new();
        encode(&mut log, &stamp, Stream::Stderr, &bytes);
        let mut read = Vec::new();
        for line in log
            .strip_suffix(b"\n")
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
        {
            let record = parse(line).unwrap_or_else(|| panic!("{line:?}"));
            assert_eq!((record.stamp, record.stream), (stamp.as_bytes(), Stream::Stderr));
            read.extend_from_slice(record.text);
            read.extend(record.ends_line.then_some(b'\n'));
        }
        assert_eq!(read, bytes);
    }

    #[test]
    fn other_lines_are_no_records() {
        let good = b"2026-08-08T10:11:12.250000000Z stdout F text";
        assert!(parse(good).is_some());
        for length in 0..good.len() - 4 {
            assert!(parse(&good[..length]).is_none(), "{length}");
        }
        assert!(parse(b"2026-08-08T10:11:12.250000000Z stdlog F text").is_none());
        assert!(parse(b"2026-08-08T10:11:12.250000000Z stdout X text").is_none());
    }
}
