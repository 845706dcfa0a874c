//! Showing logs: what containers wrote, and what their virtual machines' consoles said (behaviour.md 13).

mod file;
mod records;

use std::time::Duration;

pub use file::show as show_file;
pub use records::{View, show as show_records};

/// How often a followed log is looked at. Only the delay of a new line depends on it.
const FOLLOW: Duration = Duration::from_millis(100);
