//! Lines for the boot log.

use std::fmt::Arguments;
use std::io::Write;

/// Writes one line to standard error, which is the virtual machine's console. A console that cannot be
/// written to is no reason to fail.
pub(crate) fn line(text: Arguments<'_>) {
    let _ = std::io::stderr().write_all(format!("vminitd: {text}\n").as_bytes());
}

/// Writes one formatted line to the boot log.
macro_rules! log {
    ($($format:tt)*) => { $crate::log::line(format_args!($($format)*)) };
}
pub(crate) use log;
