//! What to run.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// A process to run in the background.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What the job is called, unique in its runtime directory: `container-apiserver`,
    /// `container-runtime-linux.<id>`.
    pub label: String,
    /// The executable, as an absolute path.
    pub program: PathBuf,
    /// Its arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Its whole environment: nothing of the caller's is passed (behaviour.md 24.4).
    pub environment: BTreeMap<String, String>,
    /// The file that its standard output and error are appended to; created when missing.
    pub log: PathBuf,
    /// Where it runs.
    pub working_directory: PathBuf,
}
