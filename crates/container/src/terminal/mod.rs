//! The terminal this process runs on.

use std::io::{self, IsTerminal};

/// Width to assume where there is no terminal.
const DEFAULT_WIDTH: usize = 80;

/// Columns of the terminal on standard output, else 80.
pub fn output_width() -> usize {
    if !io::stdout().is_terminal() {
        return DEFAULT_WIDTH;
    }
    rustix::termios::tcgetwinsize(io::stdout()).map_or(DEFAULT_WIDTH, |size| match usize::from(size.ws_col) {
        0 => DEFAULT_WIDTH,
        columns => columns,
    })
}
