//! Why a process could not be launched.

use std::io;

/// Failures of the launcher. `Display` is what the user sees.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program is not there.
    #[error("failed to find target executable {0}")]
    NotFound(String),
    /// The program is there but may not be run.
    #[error("failed to run {0}: permission denied")]
    Denied(String),
    /// The system refused a step.
    #[error("failed to {what}: {source}")]
    Step {
        /// The step, as a verb and its object.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The configuration makes no sense.
    #[error("{0}")]
    Configuration(String),
}

/// Names the step that the system refused.
pub(super) trait Step<T> {
    /// Wraps a failure with a verb and its object, such as `mount /proc`.
    fn step(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Step { what: what(), source })
    }
}
