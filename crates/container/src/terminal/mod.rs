//! The terminal this process runs on.

mod raw;

pub use raw::{RawMode, Silence, restore};

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

/// Width to assume where there is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Columns of the terminal on standard output, else 80.
pub fn output_width() -> usize {
    width(io::stdout())
}

/// Columns of the terminal on standard error, else 80.
pub fn error_width() -> usize {
    width(io::stderr())
}

fn width(stream: impl AsFd + IsTerminal) -> usize {
    if !stream.is_terminal() {
        return DEFAULT_WIDTH;
    }
    size(stream).map_or(DEFAULT_WIDTH, |(columns, _)| usize::from(columns))
}

/// Columns and rows of a terminal; `None` when it does not say.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    (size.ws_col > 0).then_some((size.ws_col, size.ws_row))
}
