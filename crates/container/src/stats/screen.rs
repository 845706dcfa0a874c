//! The terminal's alternate screen: what was there before comes back, whatever happens.

use std::io::{self, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::stdio::stdout;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::terminal;

/// Switches to the alternate screen and hides the cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// Undoes that.
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";
/// The size of a terminal that does not tell its own.
const DEFAULT_SIZE: (u16, u16) = (80, 24);

/// Whether the alternate screen is on. Global, because a panic (release builds abort) drops no guard.
static ON: AtomicBool = AtomicBool::new(false);

/// The alternate screen is on while this lives.
#[derive(Debug)]
pub(super) struct Screen(());

impl Screen {
    /// Switches to the alternate screen of the terminal on standard output.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                leave();
                report(info);
            }));
        });
        let screen = Self(());
        screen.resume()?;
        Ok(screen)
    }

    /// Switches back to the alternate screen after [`suspend`](Self::suspend).
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn resume(&self) -> io::Result<()> {
        ON.store(true, Ordering::SeqCst);
        write(ENTER)
    }

    /// Gives the terminal back for the time in which this process is stopped.
    pub(super) fn suspend(&self) {
        leave();
    }

    /// Replaces what is shown.
    ///
    /// # Errors
    /// The terminal is gone.
    pub(super) fn draw(&self, text: &str) -> io::Result<()> {
        let (columns, rows) = terminal::size(stdout()).unwrap_or(DEFAULT_SIZE);
        write(&frame(text, usize::from(columns), usize::from(rows)))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn leave() {
    if ON.swap(false, Ordering::SeqCst) {
        // Without the standard library's buffer, whose lock a panic may hold. A terminal that is gone shows nothing.
        let _ = rustix::io::write(stdout(), LEAVE);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// What draws `text` over the frame before: every line is overwritten and cut to the width, so that nothing flickers,
/// and what does not fit below is left out, so that nothing scrolls.
fn frame(text: &str, columns: usize, rows: usize) -> String {
    let mut frame = String::from("\x1b[H");
    for (index, line) in text.lines().take(rows).enumerate() {
        if index > 0 {
            frame.push_str("\r\n");
        }
        frame.push_str(cut(line, columns));
        frame.push_str("\x1b[K");
    }
    frame.push_str("\x1b[J");
    frame
}

/// The beginning of `line` that fits into `columns`.
fn cut(line: &str, columns: usize) -> &str {
    let mut width = 0;
    for (index, grapheme) in line.grapheme_indices(true) {
        width += grapheme.width();
        if width > columns {
            return &line[..index];
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_overwritten_and_fit() {
        assert_eq!(
            frame("header\none\ntwo\nthree\n", 4, 3),
            "\x1b[Hhead\x1b[K\r\none\x1b[K\r\ntwo\x1b[K\x1b[J"
        );
        assert_eq!(frame("", 4, 3), "\x1b[H\x1b[J");
    }

    #[test]
    fn characters_are_not_cut_in_half() {
        assert_eq!(cut("ab漢字", 5), "ab漢");
        assert_eq!(cut("e\u{301}x", 1), "e\u{301}");
        assert_eq!(cut("abc", 3), "abc");
    }
}
