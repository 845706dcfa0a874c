//! A process in the foreground, from its start to its exit status.

use std::io::{self, IsTerminal};

use container_client::ApiClient;
use container_client::api::{ContainerResizeRequest, ProcessReference};
use container_client::phases::Phases;
use container_ipc::Error;
use container_resource::ExitStatus;

use super::signals::{Caught, Signals};
use super::{Attachment, Streams};
use crate::error::Failure;
use crate::terminal::{self, RawMode};
use crate::{log, output};

/// So many SIGINT or SIGTERM mean that the user wants out.
const PATIENCE: u32 = 3;

/// A process that this command waits for.
#[derive(Debug)]
pub struct Session {
    api: ApiClient,
    process: ProcessReference,
    streams: Streams,
    signals: Signals,
    raw: Option<RawMode>,
    patience: Option<u32>,
}

/// Starts a process whose streams are connected; the terminal is raw from here on if the process takes it.
///
/// # Errors
/// The terminal cannot be made raw, or the process cannot be started.
pub async fn start(
    api: &ApiClient,
    process: ProcessReference,
    streams: Streams,
    attachment: Attachment,
) -> Result<(Session, Phases), Failure> {
    let mut session = Session::new(api, process, streams, attachment)?;
    let phases = api.start_process(session.process.clone()).await?;
    session.begin()?;
    Ok((session, phases))
}

/// Takes part in a process that runs already and whose streams are connected.
///
/// # Errors
/// The terminal cannot be made raw.
pub fn join(
    api: &ApiClient,
    process: ProcessReference,
    streams: Streams,
    attachment: Attachment,
) -> Result<Session, Failure> {
    let mut session = Session::new(api, process, streams, attachment)?;
    session.begin()?;
    Ok(session)
}

fn failed(error: io::Error) -> Failure {
    Failure::error(format!("failed to set up the terminal: {error}"))
}

/// Checks what [`start`] will need, before anything is created.
///
/// # Errors
/// The process is to take the terminal and there is none.
pub fn check(attachment: Attachment) -> Result<(), Failure> {
    if attachment.takes_terminal() && !io::stdin().is_terminal() {
        return Err(Failure::error(
            "failed to set up the terminal: standard input is not a terminal",
        ));
    }
    Ok(())
}

/// How waiting ended.
enum End {
    Exited(Result<ExitStatus, Error>),
    /// The user gave up, or this process was asked to end.
    Left(u8),
}

impl Session {
    /// From here on a signal is meant for the process.
    fn new(
        api: &ApiClient,
        process: ProcessReference,
        streams: Streams,
        attachment: Attachment,
    ) -> Result<Self, Failure> {
        let (signals, raw) = if attachment.takes_terminal() {
            (
                Signals::terminal().map_err(failed)?,
                Some(RawMode::enter().map_err(failed)?),
            )
        } else {
            (Signals::forwarded().map_err(failed)?, None)
        };
        Ok(Self {
            api: api.clone(),
            process,
            streams,
            signals,
            raw,
            patience: Some(PATIENCE),
        })
    }

    /// The process runs.
    fn begin(&mut self) -> Result<(), Failure> {
        self.streams.begin_input().map_err(failed)?;
        if self.raw.is_some() {
            self.resize();
        }
        Ok(())
    }

    /// Signals are passed on however many there are; nothing lets the user out early.
    #[must_use]
    pub fn without_escape(mut self) -> Self {
        self.patience = None;
        self
    }

    /// Waits for the end of the process, passing signals on; gives the status to exit with.
    ///
    /// # Errors
    /// The service went away.
    pub async fn attend(mut self) -> Result<u8, Failure> {
        let end = self.wait().await;
        // The terminal is usable again before anything else is printed.
        self.raw = None;
        match end {
            End::Exited(status) => Ok(exit_code(status?)),
            End::Left(status) => Ok(status),
        }
    }

    async fn wait(&mut self) -> End {
        let api = self.api.clone();
        let mut waiting = std::pin::pin!(api.wait(self.process.clone()));
        let status = loop {
            tokio::select! {
                status = &mut waiting => break status,
                caught = self.signals.next() => {
                    if let Some(status) = self.react(caught) {
                        return End::Left(status);
                    }
                }
            }
        };
        // Whoever reads the output may be slow; a signal then ends this process, as it would any other writer.
        tokio::select! {
            () = self.streams.drain() => End::Exited(status),
            status = ending(&mut self.signals) => End::Left(status),
        }
    }

    /// Does what a signal is for; gives the status to exit with when that is the end.
    fn react(&mut self, caught: Caught) -> Option<u8> {
        let Some(raw) = &self.raw else {
            if matches!(caught, Caught::Terminate | Caught::Interrupt)
                && let Some(left) = &mut self.patience
            {
                *left -= 1;
                if *left == 0 {
                    output::print_error(&format!(
                        "Received {PATIENCE} SIGINT/SIGTERM's, forcefully exiting."
                    ));
                    return Some(1);
                }
            }
            self.forward(caught);
            return None;
        };
        match caught {
            Caught::WindowChange => self.resize(),
            Caught::Continue => {
                raw.resume();
                self.resize();
            }
            ending => return Some(ending.status()),
        }
        None
    }

    fn forward(&self, caught: Caught) {
        let (api, process) = (self.api.clone(), self.process.clone());
        tokio::spawn(async move {
            if let Err(error) = api.kill(process, caught.name()).await {
                let error = error.long_form();
                log::info(
                    "failed to send signal",
                    &[("signal", caught.name()), ("error", &error)],
                );
            }
        });
    }

    fn resize(&self) {
        let Some((width, height)) = terminal::size(rustix::stdio::stdin()) else {
            return;
        };
        let ProcessReference {
            id,
            process_identifier,
        } = self.process.clone();
        let api = self.api.clone();
        tokio::spawn(async move {
            let request = ContainerResizeRequest {
                id,
                process_identifier,
                width,
                height,
            };
            if let Err(error) = api.resize(request).await {
                // The process may have ended meanwhile, and a line in the middle of a screen would disturb.
                log::debug("failed to resize the terminal", &[("error", &error.long_form())]);
            }
        });
    }
}

async fn ending(signals: &mut Signals) -> u8 {
    loop {
        let caught = signals.next().await;
        if matches!(
            caught,
            Caught::Terminate | Caught::Interrupt | Caught::Hangup | Caught::Quit
        ) {
            return caught.status();
        }
    }
}

/// A process's exit code as the eight bits that a shell sees.
fn exit_code(status: ExitStatus) -> u8 {
    status.exit_code.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use container_resource::time;

    use super::*;

    #[test]
    fn exit_codes_have_eight_bits() {
        let code = |exit_code| {
            super::exit_code(ExitStatus {
                exit_code,
                exited_at: time::now(),
            })
        };
        assert_eq!(
            [code(0), code(7), code(255), code(-1), code(137)],
            [0, 7, 255, 255, 137]
        );
    }
}
