//! What can go wrong with a job.

use std::io;
use std::path::PathBuf;

/// What can go wrong with a job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The label is taken by a running process, or just being started or stopped by another one.
    #[error("service {label} is already running")]
    AlreadyRunning {
        /// The job's label.
        label: String,
    },
    /// The program could not be started.
    #[error("failed to start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The job ended before it could be written down.
    #[error("service {label} ended at once, see {}", log.display())]
    EndedAtOnce {
        /// The job's label.
        label: String,
        /// Where its output went.
        log: PathBuf,
    },
    /// A file or directory of the service manager cannot be used.
    #[error("failed to access {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The runtime directory cannot be used.
    #[error(transparent)]
    Directory(container_ipc::Error),
    /// The system refused to signal or to watch a process.
    #[error("failed to control process {pid}")]
    Process {
        /// The process.
        pid: i32,
        /// Why.
        source: io::Error,
    },
    /// A killed process did not end.
    #[error("service {label} does not end although it was killed")]
    Unkillable {
        /// The job's label.
        label: String,
    },
    /// A program of this project is missing.
    #[error("program {name} is neither {} nor {}", beside.display(), installed.display())]
    ProgramNotFound {
        /// The program.
        name: String,
        /// Next to the running program.
        beside: PathBuf,
        /// In the installation.
        installed: PathBuf,
    },
    /// launchd refused, or does not answer.
    #[error("launchctl {command} failed: {output}")]
    Launchctl {
        /// The arguments.
        command: String,
        /// What it said.
        output: String,
    },
    /// The user's systemd refused.
    #[error("systemctl --user {command} failed: {output}")]
    Systemctl {
        /// The arguments.
        command: String,
        /// What it said.
        output: String,
    },
}

pub(crate) type Result<T> = std::result::Result<T, Error>;
