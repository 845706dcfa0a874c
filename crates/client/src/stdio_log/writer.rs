//! Writing a log, bounded in size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use container_resource::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{self, Stream};
use super::{file_name, file_number};

/// How large a log may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes after which a file is full. A line is not torn apart for it unless it is as long itself.
    pub file_size: u64,
    /// Files that are kept, the one that is written to among them.
    pub files: u32,
}

impl Default for Limits {
    /// 100 MiB in all.
    fn default() -> Self {
        Self {
            file_size: 20 << 20,
            files: 5,
        }
    }
}

/// The one writer of a log.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    limits: Limits,
    number: u64,
    file: File,
    length: u64,
    /// Whether the last record ended a line.
    at_line_start: bool,
    buffer: Vec<u8>,
}

impl LogWriter {
    /// Begins a new file in `directory`, which is made if it is missing. What earlier writers wrote is kept within the
    /// limits, or removed.
    ///
    /// # Errors
    /// The directory or the file cannot be made.
    pub fn begin(directory: &Path, limits: Limits, keep: bool) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let number = numbers(directory)?.into_iter().max().unwrap_or(0) + 1;
        let writer = Self {
            directory: directory.to_owned(),
            limits,
            number,
            file: create(directory, number)?,
            length: 0,
            at_line_start: true,
            buffer: Vec::new(),
        };
        writer.remove_old(if keep { limits.files } else { 1 })?;
        Ok(writer)
    }

    /// Stores what the process wrote to `stream`.
    ///
    /// # Errors
    /// The disk is full or broken; then nothing of `chunk` is stored, unless a file became full in the middle of it.
    pub fn append(&mut self, stream: Stream, mut chunk: &[u8]) -> io::Result<()> {
        let stamp = record::stamp(Timestamp::now());
        if self.length >= self.limits.file_size {
            if !self.at_line_start
                && let Some(end) = chunk.iter().position(|byte| *byte == b'\n')
            {
                let (line, rest) = chunk.split_at(end + 1);
                self.write(&stamp, stream, line)?;
                chunk = rest;
            }
            if self.at_line_start || self.length >= 2 * self.limits.file_size {
                self.rotate()?;
            }
        }
        self.write(&stamp, stream, chunk)
    }

    fn write(&mut self, stamp: &str, stream: Stream, chunk: &[u8]) -> io::Result<()> {
        let Some(last) = chunk.last() else { return Ok(()) };
        self.buffer.clear();
        record::encode(&mut self.buffer, stamp, stream, chunk);
        if let Err(error) = self.file.write_all(&self.buffer) {
            // The next record must not continue half a one.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += self.buffer.len() as u64;
        self.at_line_start = *last == b'\n';
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = create(&self.directory, self.number + 1)?;
        self.number += 1;
        self.length = 0;
        self.remove_old(self.limits.files)
    }

    fn remove_old(&self, files: u32) -> io::Result<()> {
        let kept = (self.number + 1).saturating_sub(u64::from(files.max(1)));
        for number in numbers(&self.directory)? {
            if number < kept {
                fs::remove_file(self.directory.join(file_name(number)))?;
            }
        }
        Ok(())
    }
}

fn create(directory: &Path, number: u64) -> io::Result<File> {
    // Appending, so that a file that had to be cut goes on at its end.
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(directory.join(file_name(number)))
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(file_number(entry?.file_name().as_encoded_bytes()));
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(directory: &Path) -> io::Result<Vec<(u64, String)>> {
        let mut numbers = numbers(directory)?;
        numbers.sort_unstable();
        let read = |number| {
            let text = fs::read_to_string(directory.join(file_name(number)))?;
            let lines = text.lines().map(|line| format!("{}\n", &line[31..]));
            Ok((number, lines.collect()))
        };
        numbers.into_iter().map(read).collect()
    }

    #[test]
    fn full_files_are_followed_by_new_ones_at_a_line_break() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let limits = Limits {
            file_size: 45,
            files: 2,
        };
        let mut log = LogWriter::begin(&directory.path().join("log"), limits, false)?;
        log.append(Stream::Stdout, b"one\ntw")?;
        log.append(Stream::Stderr, b"o\nthree\n")?;
        let files = contents(&log.directory)?;
        assert_eq!(
            files,
            [
                (1, "stdout F one\nstdout P tw\nstderr F o\n".to_owned()),
                (2, "stderr F three\n".to_owned())
            ]
        );
        log.append(Stream::Stdout, b"four\n")?;
        log.append(Stream::Stdout, b"five\n")?;
        let left: Vec<u64> = contents(&log.directory)?
            .into_iter()
            .map(|(number, _)| number)
            .collect();
        assert_eq!(left, [3, 4]);
        Ok(())
    }

    #[test]
    fn an_endless_line_is_bounded_too() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let limits = Limits {
            file_size: 100,
            files: 2,
        };
        let mut log = LogWriter::begin(directory.path(), limits, false)?;
        for _ in 0..50 {
            log.append(Stream::Stdout, b"no line break here")?;
        }
        assert_eq!(numbers(directory.path())?.len(), 2);
        for number in numbers(directory.path())? {
            assert!(fs::metadata(directory.path().join(file_name(number)))?.len() < 300);
        }
        Ok(())
    }

    #[test]
    fn a_new_start_uses_no_number_again() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        for (keep, left) in [(false, 1), (false, 1), (true, 2), (false, 1)] {
            LogWriter::begin(directory.path(), Limits::default(), keep)?;
            assert_eq!(numbers(directory.path())?.len(), left);
        }
        assert_eq!(numbers(directory.path())?, [4]);
        Ok(())
    }
}
