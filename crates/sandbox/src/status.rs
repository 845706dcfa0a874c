//! gRPC statuses as the project's errors.

use container_ipc::{Error, ErrorCode};
use tonic::{Code, Status};

/// The error that a gRPC status stands for (behaviour.md 29.2, 2.3).
///
/// The message is the agent's. A connection that ended gives `Interrupted`.
pub fn error_from_status(status: &Status) -> Error {
    let code = match status.code() {
        Code::InvalidArgument => ErrorCode::InvalidArgument,
        Code::NotFound => ErrorCode::NotFound,
        Code::AlreadyExists => ErrorCode::Exists,
        Code::Cancelled => ErrorCode::Cancelled,
        Code::Unimplemented => ErrorCode::Unsupported,
        Code::Internal => ErrorCode::InternalError,
        Code::Unavailable => ErrorCode::Interrupted,
        Code::FailedPrecondition => ErrorCode::InvalidState,
        Code::DeadlineExceeded => ErrorCode::Timeout,
        _ => ErrorCode::Unknown,
    };
    let message = match status.message() {
        "" => status.code().description(),
        text => text,
    };
    Error::new(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_messages_survive() {
        let error = error_from_status(&Status::already_exists("process a exists"));
        assert_eq!(error.code, ErrorCode::Exists);
        assert_eq!(error.message, "process a exists");
    }

    #[test]
    fn a_lost_connection_is_an_interruption() {
        assert_eq!(
            error_from_status(&Status::unavailable("x")).code,
            ErrorCode::Interrupted
        );
    }

    #[test]
    fn codes_without_a_counterpart_are_unknown() {
        let error = error_from_status(&Status::new(Code::DataLoss, ""));
        assert_eq!(error.code, ErrorCode::Unknown);
        assert!(!error.message.is_empty());
    }
}
