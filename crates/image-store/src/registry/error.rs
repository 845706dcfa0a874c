//! What registries do wrong, one line each.

use container_ipc::ErrorCode;
use oci_spec::image::Digest;
use reqwest::StatusCode;

/// A registry that does not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No connection.
    #[error("cannot reach registry {host}: {reason}")]
    Unreachable {
        /// The registry.
        host: String,
        /// Why not.
        reason: String,
    },
    /// A connection, and then silence.
    #[error("registry {host} sent nothing for {seconds} seconds")]
    Stalled {
        /// The registry.
        host: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The registry does not have it.
    #[error("{what} not found in registry {host}")]
    NotFound {
        /// A reference or a digest.
        what: String,
        /// The registry.
        host: String,
    },
    /// The registry does not let this user have it.
    #[error("registry {host} denied access{}: {reason}{}", to(.repository), no_credentials(host, .missing.as_deref()))]
    Denied {
        /// The registry.
        host: String,
        /// What was asked for; empty for the registry itself.
        repository: String,
        /// The status, and what the registry said.
        reason: String,
        /// When there were no credentials to show: the places that could not be looked into, and why.
        missing: Option<Vec<String>>,
    },
    /// Any other refusal.
    #[error("registry {host} answered {reason}")]
    Refused {
        /// The registry.
        host: String,
        /// The status.
        status: StatusCode,
        /// The status, and what the registry said.
        reason: String,
    },
    /// The connection broke again and again.
    #[error("registry {host} broke off {digest} after {received} of {size} bytes: {reason}")]
    BrokenOff {
        /// The registry.
        host: String,
        /// The blob.
        digest: Digest,
        /// Bytes that arrived.
        received: u64,
        /// Bytes that there should be.
        size: u64,
        /// What the last connection ended with.
        reason: String,
    },
    /// An answer that breaks the protocol.
    #[error("registry {host} sent {reason}")]
    Malformed {
        /// The registry.
        host: String,
        /// What it sent.
        reason: String,
    },
    /// The settings for reaching registries cannot be used.
    #[error("cannot set up connections: {0}")]
    Settings(String),
    /// The text is not the name of a host.
    #[error("invalid host {0}")]
    InvalidHost(String),
    /// The stored logins cannot be read or written.
    #[error("cannot use the stored logins: {0}")]
    Secrets(String),
}

fn to(repository: &str) -> String {
    if repository.is_empty() {
        return String::new();
    }
    format!(" to {repository}")
}

fn no_credentials(host: &str, missing: Option<&[String]>) -> String {
    match missing {
        None => String::new(),
        Some([]) => format!(", no credentials found for host {host}"),
        Some(problems) => format!(", no credentials found for host {host} ({})", problems.join("; ")),
    }
}

impl RegistryError {
    /// The code under which callers see this failure.
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::Stalled { .. } => ErrorCode::Timeout,
            Self::Denied { .. } => ErrorCode::InvalidState,
            Self::InvalidHost(_) => ErrorCode::InvalidArgument,
            Self::Unreachable { .. }
            | Self::Refused { .. }
            | Self::BrokenOff { .. }
            | Self::Malformed { .. }
            | Self::Settings(_)
            | Self::Secrets(_) => ErrorCode::InternalError,
        }
    }
}

/// The innermost reason, which is the only one that says something to a user.
pub(super) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
