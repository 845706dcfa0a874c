//! A process inside a container: what is run, as whom, and how it ended.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What to execute and in which environment (behaviour reference, 5.1 `initProcess`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessConfiguration {
    /// The program; looked up in the container's `PATH` unless it contains a slash.
    pub executable: String,
    /// The arguments after the program's own name.
    pub arguments: Vec<String>,
    /// `KEY=value` entries.
    pub environment: Vec<String>,
    /// The working directory; created in the guest when missing.
    pub working_directory: String,
    /// Whether the process gets a pseudo terminal.
    pub terminal: bool,
    /// The user, resolved in the guest.
    pub user: User,
    /// Groups in addition to the user's own.
    #[serde(default)]
    pub supplemental_groups: Vec<u32>,
    /// Further groups by name, resolved in the guest. An addition.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub supplemental_group_names: Vec<String>,
    /// Resource limits.
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
}

/// The user of a process, as numbers or as text that the guest resolves from `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum User {
    /// Numeric ids.
    Id {
        /// The user id.
        uid: u32,
        /// The primary group id.
        gid: u32,
    },
    /// `name`, `uid`, `name:group` or `uid:gid`.
    #[serde(rename_all = "camelCase")]
    Raw {
        /// The text as given.
        user_string: String,
    },
}

impl Default for User {
    fn default() -> Self {
        Self::Id { uid: 0, gid: 0 }
    }
}

/// One resource limit of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// The POSIX name, such as `RLIMIT_NOFILE`.
    pub limit: String,
    /// The soft limit; `u64::MAX` is unlimited.
    pub soft: u64,
    /// The hard limit; `u64::MAX` is unlimited.
    pub hard: u64,
}

/// A process that runs in a container. An addition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningProcess {
    /// Its identifier in the container.
    pub pid: i32,
    /// Its parent's; 0 when that is not in the container.
    pub parent_pid: i32,
    /// The user that it runs as.
    pub uid: u32,
    /// The kernel's letter: `R`, `S`, `D`, `Z`, `T`…
    pub state: String,
    /// Processor time it has used, in microseconds.
    pub cpu_usage_usec: u64,
    /// Memory it has in use, in bytes.
    pub memory_bytes: u64,
    /// Its arguments.
    pub command: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitStatus {
    /// The exit code; 128 + signal for a signalled process, 255 when the virtual machine was lost.
    pub exit_code: i32,
    /// When it ended.
    pub exited_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_foundations_shape() {
        let id = serde_json::to_string(&User::default()).unwrap_or_default();
        assert_eq!(id, r#"{"id":{"uid":0,"gid":0}}"#);
        let raw = User::Raw {
            user_string: "1000:1000".to_owned(),
        };
        assert_eq!(
            serde_json::to_string(&raw).unwrap_or_default(),
            r#"{"raw":{"userString":"1000:1000"}}"#
        );
    }
}
