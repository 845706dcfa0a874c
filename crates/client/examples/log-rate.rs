//! A container's output without a container: writes to a log as a runtime helper does, and checks what came of it.
//!
//! `log-rate write <directory> <megabytes> <megabytes per second>` writes lines of many lengths, at most that fast, within
//! the default limits. `log-rate check <megabytes>` reads the same from standard input.

use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use container_client::stdio_log::{Limits, LogWriter, Stream};

/// Bytes that the helper reads from the guest at a time, at most.
const CHUNK: usize = 64 << 10;
/// What lines are made of. They begin at any place of it.
const TEXT: &[u8; 512] = &text();

const fn text() -> [u8; 512] {
    let mut text = [0; 512];
    let mut index = 0;
    while index < text.len() {
        text[index] = b'!' + (index % 89) as u8;
        index += 1;
    }
    text
}

/// What is written: lines of 0 to 255 bytes, each another one.
#[derive(Default)]
struct Lines {
    number: u64,
    /// Where the present line goes on in the text, and how many bytes of it are left.
    position: usize,
    left: usize,
}

impl Lines {
    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.left == 0 {
                bytes[0] = b'\n';
                bytes = &mut bytes[1..];
                self.number += 1;
                // Lengths in no order: the upper byte of a multiple of the golden ratio.
                self.left = (self.number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize;
                self.position = (self.number % 89) as usize;
            }
            let length = self.left.min(bytes.len());
            let (line, rest) = bytes.split_at_mut(length);
            line.copy_from_slice(&TEXT[self.position..self.position + length]);
            bytes = rest;
            self.position += length;
            self.left -= length;
        }
    }
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["write", directory, megabytes, rate] => {
            write(Path::new(directory), number(megabytes)?, number(rate)?)
        }
        ["check", megabytes] => check(number(megabytes)?),
        _ => Err(io::Error::other(
            "write <directory> <megabytes> <rate>, or check <megabytes>",
        )),
    }
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(io::Error::other)
}

fn write(directory: &Path, megabytes: u64, rate: u64) -> io::Result<()> {
    let mut log = LogWriter::begin(directory, Limits::default(), false)?;
    let (mut lines, mut chunk) = (Lines::default(), vec![0; CHUNK]);
    let (start, total) = (Instant::now(), megabytes * 1_000_000);
    let mut left = total;
    while left > 0 {
        let length = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        lines.fill(&mut chunk[..length]);
        log.append(Stream::Stdout, &chunk[..length])?;
        left -= length as u64;
        let due = Duration::from_micros((total - left) / rate.max(1));
        std::thread::sleep(due.saturating_sub(start.elapsed()));
    }
    report("written", megabytes, start);
    Ok(())
}

fn check(megabytes: u64) -> io::Result<()> {
    let (mut lines, mut chunk, mut expected) = (Lines::default(), vec![0; CHUNK], vec![0; CHUNK]);
    let total = megabytes * 1_000_000;
    let (mut start, mut position) = (None, 0);
    while position < total {
        let room = usize::try_from(total - position).map_or(CHUNK, |left| left.min(CHUNK));
        let length = io::stdin().read(&mut chunk[..room])?;
        if length == 0 {
            return Err(io::Error::other(format!("it ends after {position} bytes")));
        }
        start.get_or_insert_with(Instant::now);
        lines.fill(&mut expected[..length]);
        if chunk[..length] != expected[..length] {
            return Err(io::Error::other(format!("it differs after {position} bytes")));
        }
        position += length as u64;
    }
    report("read and compared", megabytes, start.unwrap_or_else(Instant::now));
    Ok(())
}

fn report(what: &str, megabytes: u64, since: Instant) {
    let rate = megabytes as f64 / since.elapsed().as_secs_f64();
    println!("{what}: {megabytes} MB at {rate:.0} MB/s");
}
