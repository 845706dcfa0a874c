//! Failures of the agent, and how they cross the wire.

use std::io;

use tonic::Status;

/// Why a call failed. `Display` is the text that the host shows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// What the request names is not there.
    #[error("{0}")]
    NotFound(String),
    /// What the request would create is there already.
    #[error("{0}")]
    Exists(String),
    /// The request does not fit what it is about just now.
    #[error("{0}")]
    State(String),
    /// The agent cannot do this.
    #[error("{0}")]
    Unsupported(String),
    /// Something went wrong that is none of the caller's business.
    #[error("{0}")]
    Internal(String),
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
}

/// Result of most functions here.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Says what was tried when the system refuses.
pub(crate) trait Context<T> {
    /// Wraps a failure with a text such as `failed to mount /tmp`.
    fn context(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io {
            what: what(),
            source: source.into(),
        })
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::Invalid(_) => Self::invalid_argument(text),
            Error::NotFound(_) => Self::not_found(text),
            Error::Exists(_) => Self::already_exists(text),
            Error::State(_) => Self::failed_precondition(text),
            Error::Unsupported(_) => Self::unimplemented(text),
            Error::Internal(_) | Error::Io { .. } => Self::internal(text),
        }
    }
}

/// Runs something that may block for long off the thread that serves everybody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Internal(format!("worker failed: {error}"))))
}
