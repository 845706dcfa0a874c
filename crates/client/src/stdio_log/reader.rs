//! Reading a log while it is written.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::OwnedFd;

use container_resource::time::Timestamp;
use rustix::fs::{Dir, Mode, OFlags, fstat, openat};

use super::record::{self, Record};
use super::{file_name, file_number};

/// The largest piece read at once; records are shorter.
const BLOCK: usize = 256 << 10;

/// A span of time. Without limits everything is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    since: Option<String>,
    until: Option<String>,
}

impl Window {
    /// From `since` up to, and not including, `until`.
    pub fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        Self {
            since: since.map(record::stamp),
            until: until.map(record::stamp),
        }
    }

    /// Whether `record` was stored in this time.
    pub fn contains(&self, record: &Record<'_>) -> bool {
        self.since
            .as_ref()
            .is_none_or(|since| record.stamp >= since.as_bytes())
            && self
                .until
                .as_ref()
                .is_none_or(|until| record.stamp < until.as_bytes())
    }
}

/// A place in a log from which it is read on.
#[derive(Debug)]
pub struct LogReader {
    directory: OwnedFd,
    current: Option<(u64, Segment)>,
    /// The file after the present one, which therefore gets nothing more.
    successor: Option<u64>,
    /// How many files were removed before they could be read.
    skipped: u64,
}

impl LogReader {
    /// Reads the log in `directory` from its beginning.
    pub fn new(directory: OwnedFd) -> Self {
        Self {
            directory,
            current: None,
            successor: None,
            skipped: 0,
        }
    }

    /// The next record; `None` at what is the end for now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn next_record(&mut self) -> io::Result<Option<Record<'_>>> {
        while !self.advance()? {
            // The writer ended a file before it began the next one, so that one more look shows all of it.
            if let Some(next) = self.successor.take() {
                self.open(next)?;
                continue;
            }
            self.successor = self.find_successor()?;
            if self.successor.is_none() {
                return Ok(None);
            }
        }
        Ok(self.current.as_ref().and_then(|(_, segment)| segment.record()))
    }

    /// Goes to the beginning of the last `lines` lines that are in `window`.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn seek_last_lines(&mut self, lines: usize, window: &Window) -> io::Result<()> {
        let mut wanted = lines;
        for number in self.numbers()?.into_iter().rev() {
            let Some(mut segment) = self.segment(number)? else {
                break;
            };
            let mut starts = VecDeque::new();
            let mut at_start = true;
            while segment.advance()? {
                let Some(record) = segment.record().filter(|record| window.contains(record)) else {
                    continue;
                };
                if at_start {
                    starts.push_back(segment.record_start());
                }
                at_start = record.ends_line;
                if starts.len() > wanted {
                    starts.pop_front();
                }
            }
            wanted -= starts.len();
            let start = starts.front().copied();
            if wanted == 0 {
                segment.seek(start.unwrap_or_else(|| segment.position()))?;
                self.current = Some((number, segment));
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many files were removed before they could be read, because this reader was slower than the writer.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the log has been deleted together with its container.
    ///
    /// # Errors
    /// The directory cannot be asked.
    pub fn is_deleted(&self) -> io::Result<bool> {
        Ok(fstat(&self.directory)?.st_nlink == 0)
    }

    fn find_successor(&self) -> io::Result<Option<u64>> {
        let Some((present, _)) = &self.current else {
            return Ok(self.numbers()?.into_iter().next());
        };
        let listed = self.numbers()?.into_iter().find(|number| number > present);
        // Of files that are made while the directory is listed, the list may have the second one and not the first.
        let Some(listed) = listed else { return Ok(None) };
        for number in present + 1..listed {
            if self.segment(number)?.is_some() {
                return Ok(Some(number));
            }
        }
        Ok(Some(listed))
    }

    fn advance(&mut self) -> io::Result<bool> {
        match &mut self.current {
            Some((_, segment)) => segment.advance(),
            None => Ok(false),
        }
    }

    fn open(&mut self, number: u64) -> io::Result<()> {
        // A file that is gone has a successor, which the next look finds.
        if let Some(segment) = self.segment(number)? {
            if let Some((present, _)) = &self.current {
                self.skipped += number - present - 1;
            }
            self.current = Some((number, segment));
        }
        Ok(())
    }

    fn segment(&self, number: u64) -> io::Result<Option<Segment>> {
        let opened = openat(
            &self.directory,
            file_name(number),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        match opened {
            Ok(file) => Ok(Some(Segment::new(file.into()))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The files that there are, in order.
    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in Dir::read_from(&self.directory)? {
            numbers.extend(file_number(entry?.file_name().to_bytes()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// One file of a log.
#[derive(Debug)]
struct Segment {
    file: File,
    buffer: Vec<u8>,
    /// Where the buffer begins in the file.
    base: u64,
    /// The last record in the buffer, without its line break.
    line: Range<usize>,
    /// Where the next one begins.
    next: usize,
}

impl Segment {
    fn new(file: File) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            base: 0,
            line: 0..0,
            next: 0,
        }
    }

    /// Goes on to the next whole record, past what is none. `false` at what is the end for now.
    fn advance(&mut self) -> io::Result<bool> {
        let mut searched = self.next;
        loop {
            let found = self.buffer[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(length) = found {
                let end = searched + length;
                self.line = self.next..end;
                self.next = end + 1;
                searched = self.next;
                if self.record().is_some() {
                    return Ok(true);
                }
                continue;
            }
            self.buffer.drain(..self.next);
            self.base += self.next as u64;
            (self.line, self.next) = (0..0, 0);
            if self.buffer.len() > BLOCK {
                // No record is as long as this.
                self.base += self.buffer.len() as u64;
                self.buffer.clear();
            }
            searched = self.buffer.len();
            let block = (&self.file).take(BLOCK as u64);
            if { block }.read_to_end(&mut self.buffer)? == 0 {
                return Ok(false);
            }
        }
    }

    /// The record that [`advance`](Self::advance) found.
    fn record(&self) -> Option<Record<'_>> {
        record::parse(&self.buffer[self.line.clone()])
    }

    fn record_start(&self) -> u64 {
        self.base + self.line.start as u64
    }

    /// Where the next record begins.
    fn position(&self) -> u64 {
        self.base + self.next as u64
    }

    fn seek(&mut self, position: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(position))?;
        self.buffer.clear();
        self.base = position;
        (self.line, self.next) = (0..0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;
    use std::time::Duration;

    use super::super::{Limits, LogWriter, Stream};
    use super::*;

    fn reader(directory: &Path) -> io::Result<LogReader> {
        Ok(LogReader::new(File::open(directory)?.into()))
    }

    fn rest(reader: &mut LogReader) -> io::Result<String> {
        let mut text = Vec::new();
        while let Some(record) = reader.next_record()? {
            text.extend_from_slice(record.text);
            text.extend(record.ends_line.then_some(b'\n'));
        }
        String::from_utf8(text).map_err(io::Error::other)
    }

    const SMALL: Limits = Limits {
        file_size: 100,
        files: 3,
    };

    #[test]
    fn reads_across_files_and_starts() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let mut log = LogWriter::begin(directory.path(), SMALL, false)?;
        let mut reader = reader(directory.path())?;
        let mut want = String::new();
        for number in 0..200 {
            let line = format!("line {number}\n");
            let stream = if number % 3 == 0 {
                Stream::Stderr
            } else {
                Stream::Stdout
            };
            log.append(stream, line.as_bytes())?;
            want.push_str(&line);
            if number % 3 == 0 {
                assert_eq!(rest(&mut reader)?, std::mem::take(&mut want));
            }
            if number == 100 {
                log = LogWriter::begin(directory.path(), SMALL, false)?;
            }
        }
        assert_eq!(rest(&mut reader)?, want);
        assert_eq!((reader.skipped(), reader.is_deleted()?), (0, false));
        fs::remove_dir_all(directory.path())?;
        assert!(reader.is_deleted()?);
        assert_eq!(rest(&mut reader)?, "");
        Ok(())
    }

    #[test]
    fn misses_nothing_while_files_are_filled() -> io::Result<()> {
        const LINES: u32 = 100_000;
        let directory = tempfile::tempdir()?;
        let limits = Limits {
            file_size: 64 << 10,
            files: 1000,
        };
        let mut log = LogWriter::begin(directory.path(), limits, false)?;
        let mut reader = reader(directory.path())?;
        let writer = std::thread::spawn(move || {
            for number in 0..LINES {
                let line = format!("{number}\n");
                // Also in the middle of lines.
                let (first, second) = line.split_at(line.len() / 2);
                log.append(Stream::Stdout, first.as_bytes())?;
                log.append(Stream::Stdout, second.as_bytes())?;
            }
            io::Result::Ok(())
        });
        let (mut next, mut line) = (0, Vec::new());
        while next < LINES {
            let over = writer.is_finished();
            while let Some(record) = reader.next_record()? {
                line.extend_from_slice(record.text);
                if record.ends_line {
                    assert_eq!(line, next.to_string().into_bytes());
                    line.clear();
                    next += 1;
                }
            }
            assert!(!over || next == LINES, "{next} lines");
        }
        assert_eq!(reader.skipped(), 0);
        writer.join().map_err(|_| io::Error::other("writer"))?
    }

    #[test]
    fn says_when_it_was_too_slow() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let mut log = LogWriter::begin(directory.path(), SMALL, false)?;
        let mut reader = reader(directory.path())?;
        log.append(Stream::Stdout, b"first\n")?;
        assert_eq!(rest(&mut reader)?, "first\n");
        for _ in 0..20 {
            log.append(Stream::Stdout, &[b'x'; 100])?;
        }
        rest(&mut reader)?;
        assert!(reader.skipped() > 0);
        Ok(())
    }

    #[test]
    fn half_records_are_completed_or_left_out() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let mut log = LogWriter::begin(directory.path(), SMALL, false)?;
        log.append(Stream::Stdout, b"whole\n")?;
        let mut file = OpenOptions::new()
            .append(true)
            .open(directory.path().join("1.log"))?;
        let mut reader = reader(directory.path())?;
        file.write_all(b"2026-08-08T10:11:12.250000000Z stdout F ha")?;
        assert_eq!(rest(&mut reader)?, "whole\n");
        file.write_all(b"lf\n2026-08-08T10:")?;
        assert_eq!(rest(&mut reader)?, "half\n");
        // The writer is gone; the next one begins a file of its own.
        let mut log = LogWriter::begin(directory.path(), SMALL, true)?;
        log.append(Stream::Stdout, b"after\n")?;
        assert_eq!(rest(&mut reader)?, "after\n");
        Ok(())
    }

    #[test]
    fn garbage_is_passed_over() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let mut garbage = vec![b'x'; 3 * BLOCK];
        garbage.extend_from_slice(b"\n\n2026-08-08T10:11:12.250000000Z stdout F good\n");
        fs::write(directory.path().join("7.log"), garbage)?;
        fs::write(directory.path().join("other"), "file")?;
        assert_eq!(rest(&mut reader(directory.path())?)?, "good\n");
        Ok(())
    }

    #[test]
    fn last_lines_may_begin_in_an_earlier_file() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let mut log = LogWriter::begin(directory.path(), SMALL, false)?;
        for piece in ["one\n", "two\n", "\n", "fo", "ur\n", "five\n", "si"] {
            log.append(Stream::Stdout, piece.as_bytes())?;
        }
        let last = |lines| {
            let mut reader = reader(directory.path())?;
            reader.seek_last_lines(lines, &Window::default())?;
            rest(&mut reader)
        };
        assert_eq!(last(0)?, "");
        assert_eq!(last(1)?, "si");
        assert_eq!(last(3)?, "four\nfive\nsi");
        assert_eq!(last(4)?, "\nfour\nfive\nsi");
        assert_eq!(last(usize::MAX)?, "one\ntwo\n\nfour\nfive\nsi");
        Ok(())
    }

    #[test]
    fn windows_are_half_open() -> io::Result<()> {
        let time = Timestamp::from_second(1_786_183_872).map_err(io::Error::other)?;
        let stamp = record::stamp(time);
        let record = Record {
            stamp: stamp.as_bytes(),
            stream: Stream::Stdout,
            ends_line: true,
            text: b"",
        };
        let later = time
            .checked_add(Duration::from_nanos(1))
            .map_err(io::Error::other)?;
        assert!(Window::default().contains(&record));
        assert!(Window::new(Some(time), Some(later)).contains(&record));
        assert!(!Window::new(Some(later), None).contains(&record));
        assert!(!Window::new(None, Some(time)).contains(&record));
        Ok(())
    }
}
