//! Log lines on standard error (behaviour.md 2.5): the message alone, or `message: ["key": "value"]`; with `--debug`
//! every line begins with the time, and debug lines appear.

use std::sync::atomic::{AtomicBool, Ordering};

use container_resource::time::Timestamp;

use crate::output::print_error;

static DEBUG: AtomicBool = AtomicBool::new(false);

/// Turns on times and debug lines.
pub fn set_debug(on: bool) {
    DEBUG.store(on, Ordering::Relaxed);
}

/// A line for everyone.
pub fn info(message: &str, metadata: &[(&str, &str)]) {
    print_error(&line(
        message,
        metadata,
        DEBUG.load(Ordering::Relaxed).then(Timestamp::now),
    ));
}

/// A line for those who asked with `--debug`.
pub fn debug(message: &str, metadata: &[(&str, &str)]) {
    if DEBUG.load(Ordering::Relaxed) {
        info(message, metadata);
    }
}

fn line(message: &str, metadata: &[(&str, &str)], time: Option<Timestamp>) -> String {
    let time = time.map(|time| format!("{time:.3} ")).unwrap_or_default();
    if metadata.is_empty() {
        return format!("{time}{message}");
    }
    let pairs: Vec<String> = metadata
        .iter()
        .map(|(key, value)| format!("\"{key}\": \"{value}\""))
        .collect();
    format!("{time}{message}: [{}]", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_metadata_and_time_when_there_are_any() {
        assert_eq!(line("hello", &[], None), "hello");
        assert_eq!(
            line("gone", &[("id", "x"), ("error", "y")], None),
            r#"gone: ["id": "x", "error": "y"]"#
        );
        let time = Timestamp::from_millisecond(1_786_183_872_250).ok();
        assert_eq!(line("hello", &[], time), "2026-08-08T10:11:12.250Z hello");
    }
}
