//! The error that crosses process borders.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure an [`Error`] reports (behaviour.md 2.3). Callers test only the outermost one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// A failure that was not classified.
    Unknown,
    /// The request itself is wrong.
    InvalidArgument,
    /// The service failed at something that should have worked.
    InternalError,
    /// What should be created is already there.
    Exists,
    /// What is asked for is not there.
    NotFound,
    /// The caller gave up.
    Cancelled,
    /// The request does not fit the present state.
    InvalidState,
    /// Nothing to work on.
    Empty,
    /// It took too long.
    Timeout,
    /// This version or platform cannot do it.
    Unsupported,
    /// The connection went away.
    Interrupted,
}

impl ErrorCode {
    /// The code as it is written on the wire and in long forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::InvalidArgument => "invalidArgument",
            Self::InternalError => "internalError",
            Self::Exists => "exists",
            Self::NotFound => "notFound",
            Self::Cancelled => "cancelled",
            Self::InvalidState => "invalidState",
            Self::Empty => "empty",
            Self::Timeout => "timeout",
            Self::Unsupported => "unsupported",
            Self::Interrupted => "interrupted",
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure with a code, a text for the user and, for a wrapper, what it wraps.
///
/// `Display` is the text behind `Error: ` on the terminal (behaviour.md 2.2): the message alone, or
/// `message (cause: "code: "message"")`, whose inner quotes are not escaped. Because the cause is part of
/// the text, [`std::error::Error::source`] is `None`: reporters that print the chain would print it twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// The kind of failure.
    pub code: ErrorCode,
    /// The text, without code and cause.
    pub message: String,
    /// What led to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Box<Error>>,
}

impl Error {
    /// An error without a cause.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cause: None,
        }
    }

    /// [`ErrorCode::Unknown`]: the description of a foreign error.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unknown, message)
    }

    /// [`ErrorCode::InvalidArgument`].
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidArgument, message)
    }

    /// [`ErrorCode::InternalError`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InternalError, message)
    }

    /// [`ErrorCode::Exists`].
    pub fn exists(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Exists, message)
    }

    /// [`ErrorCode::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// [`ErrorCode::Cancelled`].
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Cancelled, message)
    }

    /// [`ErrorCode::InvalidState`].
    pub fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidState, message)
    }

    /// [`ErrorCode::Empty`].
    pub fn empty(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Empty, message)
    }

    /// [`ErrorCode::Timeout`].
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Timeout, message)
    }

    /// [`ErrorCode::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// [`ErrorCode::Interrupted`].
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Interrupted, message)
    }

    /// The same error with `cause` behind it.
    #[must_use]
    pub fn with_cause(mut self, cause: Error) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// An [`ErrorCode::InternalError`] saying `message` with this error as its cause, as the client side
    /// wraps what the services answer (behaviour.md 27.9).
    #[must_use]
    pub fn wrap(self, message: impl Into<String>) -> Self {
        Self::internal(message).with_cause(self)
    }

    /// `code: "message"`, followed by ` (cause: "…")` in the same form when there is one.
    pub fn long_form(&self) -> String {
        LongForm(self).to_string()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        write_cause(self, f)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::unknown(error.to_string())
    }
}

struct LongForm<'a>(&'a Error);

impl fmt::Display for LongForm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: \"{}\"", self.0.code, self.0.message)?;
        write_cause(self.0, f)
    }
}

fn write_cause(error: &Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match &error.cause {
        Some(cause) => write!(f, " (cause: \"{}\")", LongForm(cause)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Error {
        Error::invalid_state("container expected to be in created state, got: stopped")
            .wrap("failed to bootstrap container")
    }

    #[test]
    fn texts_follow_the_reference() {
        assert_eq!(
            Error::not_found("no such container").to_string(),
            "no such container"
        );
        assert_eq!(
            chain().to_string(),
            "failed to bootstrap container (cause: \"invalidState: \
             \"container expected to be in created state, got: stopped\"\")"
        );
        assert_eq!(
            chain().wrap("outer").long_form(),
            "internalError: \"outer\" (cause: \"internalError: \"failed to bootstrap container\" \
             (cause: \"invalidState: \"container expected to be in created state, got: stopped\"\")\")"
        );
    }

    #[test]
    fn codes_are_written_alike_everywhere() {
        for code in [
            ErrorCode::Unknown,
            ErrorCode::InvalidArgument,
            ErrorCode::InternalError,
            ErrorCode::Exists,
            ErrorCode::NotFound,
            ErrorCode::Cancelled,
            ErrorCode::InvalidState,
            ErrorCode::Empty,
            ErrorCode::Timeout,
            ErrorCode::Unsupported,
            ErrorCode::Interrupted,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn a_chain_survives_json() {
        let text = serde_json::to_string(&chain()).unwrap();
        assert_eq!(serde_json::from_str::<Error>(&text).unwrap(), chain());
        let plain = serde_json::to_string(&Error::empty("x")).unwrap();
        assert_eq!(plain, r#"{"code":"empty","message":"x"}"#);
    }

    #[test]
    fn an_unknown_code_is_refused() {
        assert!(serde_json::from_str::<Error>(r#"{"code":"surprise","message":"x"}"#).is_err());
    }
}
