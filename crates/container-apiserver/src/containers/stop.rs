//! Stopping and killing (behaviour reference, 11.7 and 11.8).
//!
//! Both end within a bound whatever the guest and the helper do, because neither waits for the container's turn, and a
//! helper that does not do its part in time is killed. Its virtual machine dies with it.

use std::future::Future;
use std::time::Duration;

use container_client::api::{ContainerKillRequest, ContainerStopRequest, StopOptions};
use container_ipc::{Error, ErrorCode};
use tokio::time::timeout;

use super::Containers;
use super::container::Container;
use super::run::Run;

/// How long a helper may take to pass a signal on.
const PASS_SIGNAL: Duration = Duration::from_secs(10);
/// How long a helper may take to pass SIGKILL on: one that is alive, and whose guest is, does so at once.
const PASS_KILL: Duration = Duration::from_millis(2500);
/// How long the end may take then. The disks are flushed in it, so that a busy machine needs some time.
const DIE: Duration = Duration::from_secs(6);
/// How long a helper may take to stop beyond the grace period. It kills by itself in it, and flushes the disks.
const STOP_MARGIN: Duration = Duration::from_secs(10);
/// How long cleaning up after a killed helper may take.
const BURY: Duration = Duration::from_secs(10);

impl Containers {
    /// Stops a container and waits for its end. A stopped one is fine.
    ///
    /// # Errors
    /// The container or the signal is not known.
    pub(crate) async fn stop(&self, request: ContainerStopRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move { this.stop_one(&container, request.stop_options).await };
        self.0.work.finish(operation).await
    }

    pub(super) async fn stop_one(
        &self,
        container: &Container,
        mut options: StopOptions,
    ) -> Result<(), Error> {
        container.settled().await;
        if !options.with_system {
            hold(container);
        }
        let Some(run) = container.run().await else {
            return Ok(());
        };
        run.ask_to_end();
        let configured = container.record().configuration.stop_timeout;
        let grace = options
            .timeout_in_seconds
            .or(configured)
            .unwrap_or(StopOptions::DEFAULT_TIMEOUT);
        options.timeout_in_seconds = Some(grace);
        let bound = Duration::from_secs(grace.into()) + STOP_MARGIN;
        if !run.is_booted() {
            return self.kill_helper(container, &run).await;
        }
        let asked = within(bound, container, run.client.stop(options)).await;
        self.see_end(container, &run, asked).await
    }

    /// Sends a signal to a process. KILL for the init process waits until the container has stopped.
    ///
    /// # Errors
    /// The container is not known or stopped, or the signal or process is not known.
    pub(crate) async fn kill(&self, request: ContainerKillRequest) -> Result<(), Error> {
        let container = self.find(&request.id)?;
        let this = self.clone();
        let operation = async move {
            let run = container.live().await?;
            let ContainerKillRequest {
                id,
                process_identifier,
                signal,
            } = request;
            if process_identifier == id && is_kill(&signal) {
                return this.kill_init(&container, &run).await;
            }
            within(
                PASS_SIGNAL,
                &container,
                run.client.kill(&process_identifier, &signal),
            )
            .await
        };
        self.0.work.finish(operation).await
    }

    /// Ends a container with SIGKILL.
    pub(super) async fn kill_init(&self, container: &Container, run: &Run) -> Result<(), Error> {
        run.ask_to_end();
        hold(container);
        if !run.is_booted() {
            return self.kill_helper(container, run).await;
        }
        let asked = within(PASS_KILL, container, run.client.kill(&container.id, "KILL")).await;
        self.see_end(container, run, asked).await
    }

    /// Waits for the end that the helper was `asked` for. If it did not listen, or takes too long, kills the helper.
    async fn see_end(&self, container: &Container, run: &Run, asked: Result<(), Error>) -> Result<(), Error> {
        match asked {
            Err(error) if is_callers_fault(&error) => return Err(error),
            Err(error) => tracing::warn!(id = container.id, %error, "killing the helper"),
            Ok(()) if timeout(DIE, run.ended()).await.is_ok() => return Ok(()),
            Ok(()) => tracing::warn!(id = container.id, "killing the helper, which does not end"),
        }
        self.kill_helper(container, run).await
    }

    async fn kill_helper(&self, container: &Container, run: &Run) -> Result<(), Error> {
        run.mark_killed();
        self.0.jobs.kill(&run.label).await?;
        let buried = timeout(BURY, run.ended()).await;
        buried
            .map(|_| ())
            .map_err(|_| Error::timeout(format!("container {} does not end", container.id)))
    }
}

/// Has the container's restart policy rest. One that is deleted at the same moment has none to rest.
fn hold(container: &Container) {
    if let Err(error) = container.bundle.hold()
        && !container.is_deleted()
    {
        tracing::warn!(id = container.id, %error, "failed to remember that the container was stopped");
    }
}

/// What a helper answers, or that it does not.
async fn within(
    bound: Duration,
    container: &Container,
    asked: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let silent = |_| {
        Err(Error::timeout(format!(
            "container {} does not answer",
            container.id
        )))
    };
    timeout(bound, asked).await.unwrap_or_else(silent)
}

/// Whether `signal` is SIGKILL.
fn is_kill(signal: &str) -> bool {
    ["KILL", "SIGKILL", "9"]
        .iter()
        .any(|kill| signal.eq_ignore_ascii_case(kill))
}

/// Whether the helper refused because of what was asked for, such as a signal that does not exist. The client wraps
/// what it answers.
fn is_callers_fault(error: &Error) -> bool {
    error
        .cause
        .as_ref()
        .is_some_and(|cause| cause.code == ErrorCode::InvalidArgument)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigkill_has_three_names() {
        assert!(
            ["kill", "KILL", "SigKill", "9"]
                .iter()
                .all(|signal| is_kill(signal))
        );
        assert!(!["TERM", "19", "", "KILLS"].iter().any(|signal| is_kill(signal)));
    }

    #[test]
    fn a_wrong_signal_kills_nothing() {
        assert!(is_callers_fault(
            &Error::invalid_argument("signal FOO").wrap("failed to stop container")
        ));
        assert!(!is_callers_fault(
            &Error::interrupted("gone").wrap("failed to stop container")
        ));
    }
}
