//! `--journal` of a container's own disk.

use container_ipc::Error;
use container_resource::Journal;

/// `writeback`, `ordered` or `journal`, with an optional size after a colon.
///
/// # Errors
/// The text is none of these.
pub fn parse(text: &str) -> Result<Journal, Error> {
    text.parse()
        .map_err(|error: container_resource::journal::InvalidJournal| {
            Error::invalid_argument(error.to_string())
        })
}
