//! How a command ends when it does not succeed (behaviour.md 2).

use container_ipc::Error;

/// The result of a command: the exit status, or why there is none.
pub type Outcome = Result<u8, Failure>;

/// Exit status of a usage error (`EX_USAGE`).
pub const USAGE_STATUS: u8 = 64;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The command line is wrong: `Error: <text>` with the usage of the command, exit 64.
    Usage(String),
    /// Anything else: `Error: <text>`, exit 1.
    Error(String),
    /// What went wrong is said already: exit with this status.
    Silent(u8),
}

impl Failure {
    /// A usage error.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Any other error.
    pub fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }

    /// A command that parses but that this version cannot carry out. `path` is the command path without `container`.
    pub fn absent(path: &str) -> Self {
        Self::Error(format!("container {path}: this version does not have it yet"))
    }
}

/// What the message of a failed connection begins with, wherever it is in a chain.
const NO_CONNECTION: &str = "XPC connection error";

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.to_string().contains(NO_CONNECTION) {
            let hint = "Ensure container system service has been started with `container system start`.";
            return Self::Error(format!("{}\n{hint}", error.long_form()));
        }
        Self::Error(error.to_string())
    }
}

impl Failure {
    /// One failure of a command with several targets: the long form of each error on a line of its own.
    pub fn collected(errors: &[Error]) -> Self {
        if let [error] = errors
            && error.to_string().contains(NO_CONNECTION)
        {
            return error.clone().into();
        }
        Self::Error(errors.iter().map(Error::long_form).collect::<Vec<_>>().join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_service_is_explained() {
        let error = Error::interrupted("XPC connection error: Connection invalid");
        let hint = "\nEnsure container system service has been started with `container system start`.";
        assert_eq!(
            Failure::from(error.clone()),
            Failure::Error(format!(
                "interrupted: \"XPC connection error: Connection invalid\"{hint}"
            ))
        );
        assert!(matches!(
            Failure::from(error.wrap("failed to list containers")),
            Failure::Error(text) if text.starts_with("internalError: \"failed to list containers\" (cause: ")
                && text.ends_with(hint)
        ));
    }

    #[test]
    fn other_errors_are_their_message() {
        assert_eq!(
            Failure::from(Error::not_found("gone")),
            Failure::Error("gone".to_owned())
        );
        let errors = [Error::not_found("a"), Error::not_found("b").wrap("failed")];
        assert_eq!(
            Failure::collected(&errors),
            Failure::Error(
                "notFound: \"a\"\ninternalError: \"failed\" (cause: \"notFound: \"b\"\")".to_owned()
            )
        );
    }
}
