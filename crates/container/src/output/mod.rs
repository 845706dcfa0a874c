//! Everything that is written to standard output and standard error.

pub(crate) mod inspected;
pub mod json;
pub mod list;
pub mod table;
pub(crate) mod target;
pub mod toml;
pub mod yaml;

use std::io::{self, ErrorKind, Write};
use std::process;

use serde::Serialize;
use serde_json::Value;

use crate::terminal;

/// Exit status of a program that a closed pipe ended: 128 + SIGPIPE.
const CLOSED_PIPE_STATUS: i32 = 141;

/// Writes text to standard output as it is. When the reader has gone the process ends, as with a default SIGPIPE.
pub fn print(text: &str) {
    print_bytes(text.as_bytes());
}

/// The same with bytes that need not be text.
pub fn print_bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    check(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Writes a line to standard output.
pub fn print_line(text: &str) {
    print(&format!("{text}\n"));
}

/// Writes a line to standard error. A closed standard error is nobody's business.
pub fn print_error(text: &str) {
    let _ = io::stderr()
        .lock()
        .write_all(format!("{}\n", text.trim_end_matches('\n')).as_bytes());
}

fn check(result: io::Result<()>) {
    let Err(error) = result else { return };
    // Nothing is dropped on this way out.
    terminal::restore();
    if error.kind() == ErrorKind::BrokenPipe {
        process::exit(CLOSED_PIPE_STATUS);
    }
    print_error(&format!("Error: failed to write to standard output: {error}"));
    process::exit(1);
}

/// A value as a tree that keeps the order of declaration.
fn to_value(value: &impl Serialize) -> Value {
    // Only maps with keys that are no text have no such tree, and no payload has one.
    serde_json::to_value(value).unwrap_or(Value::Null)
}

/// Removes fields without a value, at every depth.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
