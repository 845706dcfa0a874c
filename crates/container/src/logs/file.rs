//! A file of lines, such as a console's: all of it or its last lines, and what is added later (behaviour.md 13).
//!
//! Unlike in Apple's tool empty lines count and are shown, a file need not be UTF-8, and nothing is lost between the
//! last line of the file and the first one that is added.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::FOLLOW;
use crate::output::print_bytes;

/// The largest piece read at once.
const BLOCK: u64 = 64 * 1024;

/// Prints the file, or its last `lines` lines; with `follow` also everything that is added, until a signal.
///
/// # Errors
/// The file cannot be read.
pub async fn show(mut file: File, lines: Option<usize>, follow: bool) -> io::Result<()> {
    let start = match lines {
        None => 0,
        Some(lines) => start_of_last_lines(&mut file, lines)?,
    };
    file.seek(SeekFrom::Start(start))?;
    // An empty line that was asked for is shown.
    let mut trimmer = Trimmer {
        begun: lines.is_some(),
        ..Trimmer::default()
    };
    let mut position = start + copy(&mut file, |bytes| print_bytes(&trimmer.pass(bytes, follow)))?;
    if !follow {
        print_bytes(trimmer.end());
        return Ok(());
    }
    let mut clock = tokio::time::interval(FOLLOW);
    loop {
        clock.tick().await;
        let length = file.metadata()?.len();
        if length < position {
            // The container was started again.
            position = file.seek(SeekFrom::Start(0))?;
        }
        if length > position {
            position += copy(&mut file, print_bytes)?;
        }
    }
}

fn copy(file: &mut File, mut print: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut buffer = vec![0; usize::try_from(BLOCK).unwrap_or(usize::MAX)];
    let mut total = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(total),
            count => {
                print(&buffer[..count]);
                total += u64::try_from(count).unwrap_or(0);
            }
        }
    }
}

/// Leaves out the line breaks at both ends of a text that comes in pieces.
#[derive(Debug, Default)]
struct Trimmer {
    /// Something else than a line break has passed.
    begun: bool,
    /// Line breaks that are only shown when something follows.
    held: usize,
    /// Something has been seen.
    any: bool,
}

impl Trimmer {
    /// What is certain to be shown. Followed files are shown to their very end.
    fn pass(&mut self, bytes: &[u8], follow: bool) -> Vec<u8> {
        self.any |= !bytes.is_empty();
        let begin = if self.begun {
            0
        } else {
            bytes.iter().take_while(|b| **b == b'\n').count()
        };
        let rest = &bytes[begin..];
        let trailing = if follow {
            0
        } else {
            rest.iter().rev().take_while(|b| **b == b'\n').count()
        };
        let text = &rest[..rest.len() - trailing];
        if text.is_empty() {
            if self.begun {
                self.held += trailing;
            }
            return Vec::new();
        }
        self.begun = true;
        let mut shown = vec![b'\n'; self.held];
        shown.extend_from_slice(text);
        self.held = trailing;
        shown
    }

    /// The one line break at the end.
    fn end(&self) -> &'static [u8] {
        if self.any { b"\n" } else { b"" }
    }
}

/// Where the last `lines` lines begin. A line break at the very end does not begin another line.
fn start_of_last_lines(file: &mut File, lines: usize) -> io::Result<u64> {
    let length = file.metadata()?.len();
    if lines == 0 {
        return Ok(length);
    }
    let mut found = 0;
    let mut end = length;
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        file.by_ref().take(end - start).read_to_end(&mut buffer)?;
        for (index, byte) in buffer.iter().enumerate().rev() {
            let next = start + u64::try_from(index).unwrap_or(0) + 1;
            if *byte == b'\n' && next < length {
                found += 1;
                if found == lines {
                    return Ok(next);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn last(text: &str, lines: usize) -> String {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        let start = start_of_last_lines(&mut file, lines).expect("read");
        text[usize::try_from(start).expect("small")..].to_owned()
    }

    #[test]
    fn last_lines_count_empty_ones() {
        assert_eq!(last("a\n\nb\n", 2), "\nb\n");
        assert_eq!(last("a\nb", 1), "b");
        assert_eq!(last("a\nb\n", 1), "b\n");
        assert_eq!(last("a\nb\n", 9), "a\nb\n");
        assert_eq!(last("a\n", 0), "");
        assert_eq!(last("", 3), "");
    }

    #[test]
    fn last_lines_may_be_long() {
        let long = "x".repeat(100_000);
        assert_eq!(
            last(&format!("first\n{long}\nlast\n"), 2),
            format!("{long}\nlast\n")
        );
    }

    fn trimmed(pieces: &[&str]) -> String {
        let mut trimmer = Trimmer::default();
        let mut shown = Vec::new();
        for piece in pieces {
            shown.extend(trimmer.pass(piece.as_bytes(), false));
        }
        shown.extend(trimmer.end());
        String::from_utf8(shown).expect("text")
    }

    #[test]
    fn line_breaks_at_the_ends_become_one() {
        assert_eq!(trimmed(&["\n\na\n", "\nb\n\n"]), "a\n\nb\n");
        assert_eq!(trimmed(&["a"]), "a\n");
        assert_eq!(trimmed(&["\n", "\n"]), "\n");
        assert_eq!(trimmed(&[]), "");
        assert_eq!(trimmed(&["a\n", "\n", "b"]), "a\n\nb\n");
    }
}
