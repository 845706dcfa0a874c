//! The program that talks to launchd.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::error::{Error, Result};

/// How to call launchctl.
#[derive(Clone, Debug)]
pub(super) struct Launchctl {
    pub(super) program: PathBuf,
    /// How long one call may take: launchd, or a service that it waits for, may be stuck.
    pub(super) deadline: Duration,
}

impl Default for Launchctl {
    fn default() -> Self {
        Self {
            program: "/bin/launchctl".into(),
            deadline: Duration::from_secs(10),
        }
    }
}

impl Launchctl {
    /// What a call prints; `None` when launchctl ended with a failure, as it does for a job that it does not know.
    ///
    /// # Errors
    /// launchctl cannot be run, or does not end in time.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Option<String>> {
        let (text, status) = self.run(arguments).await?;
        Ok(status.success().then_some(text))
    }

    /// Has launchd do something.
    ///
    /// # Errors
    /// It refused: the error has its words. Or as [`ask`](Self::ask).
    pub(super) async fn tell(&self, arguments: &[&str]) -> Result<()> {
        match self.run(arguments).await? {
            (_, status) if status.success() => Ok(()),
            (text, _) => Err(failed(arguments, text)),
        }
    }

    /// What a call printed, as its failure or not, and how it ended.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<(String, ExitStatus)> {
        let mut command = Command::new(&self.program);
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        match timeout(self.deadline, command.output()).await {
            Ok(Ok(output)) => {
                let status = output.status;
                let text = if status.success() {
                    output.stdout
                } else {
                    output.stderr
                };
                Ok((String::from_utf8_lossy(&text).trim().to_owned(), status))
            }
            Ok(Err(error)) => Err(failed(arguments, error.to_string())),
            Err(_) => {
                let text = format!("no answer within {} s", self.deadline.as_secs_f32());
                Err(failed(arguments, text))
            }
        }
    }
}

/// The error of a call.
pub(super) fn failed(arguments: &[&str], output: String) -> Error {
    Error::Launchctl {
        command: arguments.join(" "),
        output,
    }
}
