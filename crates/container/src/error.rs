//! How a command ends when it does not succeed (behaviour.md 2).

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
