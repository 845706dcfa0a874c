//! What the services wrote into the unified log of macOS, through the system's `log` (behaviour.md 23.4).

use std::process::Stdio;

use container_config::logging::SUBSYSTEM;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Failure, Outcome};

/// The program that reads the unified log.
const LOG: &str = "/usr/bin/log";

/// Shows what was logged within the `last` time, as the user wrote it, or, without one, what is logged from now on.
/// Ends as `log` does; an interrupt is no failure.
///
/// # Errors
/// `log` cannot be run.
pub async fn show(last: Option<&str>, debug: bool) -> Outcome {
    let failed = |error: std::io::Error| Failure::error(format!("failed to run {LOG}: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut log = Command::new(LOG)
        .args(arguments(last, debug))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    tokio::select! {
        status = log.wait() => {
            let status = status.map_err(failed)?;
            match u8::try_from(status.code().unwrap_or(1)).unwrap_or(1) {
                0 => Ok(0),
                code => Err(Failure::Silent(code)),
            }
        }
        _ = interrupt.recv() => Ok(0),
    }
}

fn arguments(last: Option<&str>, debug: bool) -> Vec<String> {
    let mut arguments = vec![if last.is_some() { "show" } else { "stream" }.to_owned()];
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
    add(&["--info"]);
    if debug {
        add(&["--debug"]);
    }
    if let Some(last) = last {
        add(&["--last", last]);
    }
    add(&["--predicate", &format!("subsystem = '{SUBSYSTEM}'")]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_log_is_asked() {
        assert_eq!(
            arguments(Some("5m"), false),
            [
                "show",
                "--info",
                "--last",
                "5m",
                "--predicate",
                "subsystem = 'dev.container'"
            ]
        );
        assert_eq!(
            arguments(None, true),
            [
                "stream",
                "--info",
                "--debug",
                "--predicate",
                "subsystem = 'dev.container'"
            ]
        );
    }
}
