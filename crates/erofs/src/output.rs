//! The output file: a stream of file data, and inodes in chunks between it.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::inode::SLOT;
use crate::{BLOCK_SIZE, Fault};

const BLOCK: u64 = BLOCK_SIZE as u64;
/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 20;
/// Bytes that are set aside at a time for inodes.
const CHUNK: u64 = 64 << 10;
/// A block's number has 32 bits.
const MAX_POSITION: u64 = u32::MAX as u64 * BLOCK;

/// Writes a file from one position on, leaving out blocks of zeros.
#[derive(Debug)]
pub(crate) struct Output {
    file: Arc<File>,
    /// Place of the buffer's first byte, a multiple of the block size.
    start: u64,
    buffer: Vec<u8>,
}

impl Output {
    /// A stream that begins at a multiple of the block size.
    pub(crate) fn new(file: Arc<File>, start: u64) -> Self {
        Output {
            file,
            start,
            buffer: Vec::with_capacity(BUFFER),
        }
    }

    /// Place of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    /// The block that starts at the next byte, which is at a block's start.
    pub(crate) fn block(&self) -> u32 {
        debug_assert_eq!(self.position() % BLOCK, 0);
        (self.position() / BLOCK) as u32
    }

    /// Appends bytes.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        self.check(bytes.len() as u64)?;
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BUFFER - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == BUFFER {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Appends zeros, which take no time and no storage as far as they fill blocks.
    pub(crate) fn skip(&mut self, count: u64) -> Result<(), Fault> {
        self.check(count)?;
        let end = self.position() + count;
        let aligned = self.position().next_multiple_of(BLOCK);
        if end < aligned + BUFFER as u64 {
            return self.zeros(count);
        }
        self.zeros(aligned - self.position())?;
        self.flush()?;
        self.start = end - end % BLOCK;
        self.zeros(end % BLOCK)
    }

    /// Appends zeros up to the next block.
    pub(crate) fn align(&mut self) -> Result<(), Fault> {
        self.zeros(self.position().next_multiple_of(BLOCK) - self.position())
    }

    /// Writes what is buffered; the position has to be a block's start, or else the stream ends here.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        for range in nonzero_runs(&self.buffer) {
            let at = self.start + range.start as u64;
            self.file
                .write_all_at(&self.buffer[range], at)
                .map_err(Fault::Write)?;
        }
        self.start += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn zeros(&mut self, count: u64) -> Result<(), Fault> {
        const ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];
        let mut rest = count as usize;
        while rest > 0 {
            let now = rest.min(BLOCK_SIZE);
            self.write(&ZEROS[..now])?;
            rest -= now;
        }
        Ok(())
    }

    fn check(&self, count: u64) -> Result<(), Fault> {
        match self.position().checked_add(count) {
            Some(end) if end <= MAX_POSITION => Ok(()),
            _ => Err(Fault::ImageTooLarge),
        }
    }
}

/// The parts of a buffer that are not blocks of zeros.
fn nonzero_runs(buffer: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, block) in buffer.chunks(BLOCK_SIZE).enumerate() {
        if is_zero(block) {
            continue;
        }
        let start = i * BLOCK_SIZE;
        let end = start + block.len();
        match runs.last_mut() {
            Some(run) if run.end == start => run.end = end,
            _ => runs.push(start..end),
        }
    }
    runs
}

fn is_zero(block: &[u8]) -> bool {
    let (words, rest) = block.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|&byte| byte == 0)
}

/// Places records one after the other so that none crosses a block's end unless it is larger than a block; such a record
/// starts at a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packer {
    next: u64,
}

impl Packer {
    /// Places records from a position on.
    pub(crate) fn new(start: u64) -> Self {
        Packer { next: start }
    }

    /// The place of a record of this size.
    pub(crate) fn place(&mut self, size: u64) -> u64 {
        let at = self.next.next_multiple_of(SLOT);
        let at = if at % BLOCK + size > BLOCK {
            at.next_multiple_of(BLOCK)
        } else {
            at
        };
        self.next = at + size;
        at
    }

    /// End of the last record.
    pub(crate) fn end(&self) -> u64 {
        self.next
    }
}

/// Inodes in chunks that are set aside in the stream of file data.
#[derive(Debug)]
pub(crate) struct InodeArea {
    file: Arc<File>,
    start: u64,
    capacity: u64,
    packer: Packer,
    buffer: Vec<u8>,
}

impl InodeArea {
    /// An area without a chunk yet.
    pub(crate) fn new(file: Arc<File>) -> Self {
        InodeArea {
            file,
            start: 0,
            capacity: 0,
            packer: Packer::new(0),
            buffer: Vec::new(),
        }
    }

    /// Appends an inode and returns its number. `output` is at a block's start.
    pub(crate) fn append(&mut self, record: &[u8], output: &mut Output) -> Result<u64, Fault> {
        let size = record.len() as u64;
        let mut at = self.packer.place(size);
        if at + size > self.start + self.capacity {
            self.flush()?;
            self.start = output.position();
            self.capacity = CHUNK.max(size.next_multiple_of(BLOCK));
            output.skip(self.capacity)?;
            self.packer = Packer::new(self.start);
            at = self.packer.place(size);
        }
        self.buffer.resize((at - self.start) as usize, 0);
        self.buffer.extend_from_slice(record);
        Ok(at / SLOT)
    }

    /// Writes what is buffered. Nothing may be appended to this chunk any more.
    pub(crate) fn flush(&mut self) -> Result<(), Fault> {
        self.file
            .write_all_at(&self.buffer, self.start)
            .map_err(Fault::Write)?;
        self.buffer.clear();
        self.capacity = 0;
        Ok(())
    }
}

/// Writes bytes at a place that was written before.
pub(crate) fn patch(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    file.write_all_at(bytes, offset)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    fn output() -> (tempfile::NamedTempFile, Output) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let output = Output::new(Arc::new(file.reopen().unwrap()), 0);
        (file, output)
    }

    #[test]
    fn holes_are_not_written() {
        let (file, mut output) = output();
        output.write(&[1; 100]).unwrap();
        output.skip((8 << 20) + 5).unwrap();
        output.write(&[2; 3]).unwrap();
        output.skip(1 << 20).unwrap();
        output.write(&[3]).unwrap();
        output.align().unwrap();
        output.flush().unwrap();
        let content = std::fs::read(file.path()).unwrap();
        assert_eq!(content.len() as u64, output.position());
        assert_eq!(content[..101], [&[1; 100][..], &[0]].concat());
        let at = 100 + (8 << 20) + 5;
        assert_eq!(content[at - 1..at + 4], [0, 2, 2, 2, 0]);
        assert_eq!(content[at + 3 + (1 << 20)], 3);
        assert_eq!(content.iter().filter(|&&b| b != 0).count(), 104);
        assert!(file.as_file().metadata().unwrap().blocks() * 512 <= 64 << 10);
    }

    #[test]
    fn addresses_have_32_bits() {
        let (_file, mut output) = output();
        output.skip(MAX_POSITION).unwrap();
        assert_eq!(output.block(), u32::MAX);
        assert!(matches!(output.skip(1), Err(Fault::ImageTooLarge)));
        assert!(matches!(output.write(b"x"), Err(Fault::ImageTooLarge)));
        assert!(matches!(output.skip(u64::MAX), Err(Fault::ImageTooLarge)));
    }

    #[test]
    fn records_do_not_cross_blocks() {
        let mut packer = Packer::new(4096);
        assert_eq!(packer.place(65), 4096);
        assert_eq!(packer.place(4000), 4192);
        assert_eq!(packer.place(4033), 8192);
        assert_eq!(packer.place(64), 12288);
        assert_eq!(packer.place(5000), 16384);
        assert_eq!(packer.end(), 21384);
    }
}
