//! The health check of the container: a process that is run in it now and then.

use std::convert::Infallible;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use container_client::Stdio;
use container_client::runtime::{CreateProcessRequest, HealthReply};
use container_client::stdio::StdioSet;
use container_ipc::Error;
use container_resource::ProcessConfiguration;
use container_resource::health::{Health, HealthCheck, HealthProbe};
use container_resource::time::Timestamp;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::service::Runtime;
use crate::signal;

/// Bytes of a run's output that are kept.
const OUTPUT: usize = 4096;
/// How long a killed run may take to end.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// What has been found out, for those who watch.
#[derive(Debug)]
pub(crate) struct Watched(watch::Sender<(u64, Option<Health>)>);

impl Watched {
    /// What is known before the first run.
    pub(crate) fn new(check: Option<&HealthCheck>) -> Self {
        Self(watch::Sender::new((0, check.map(|_| Health::default()))))
    }

    /// What is known now; absent without a health check.
    pub(crate) fn current(&self) -> Option<Health> {
        self.0.borrow().1.clone()
    }

    /// What is known when it is something else than what was `seen`.
    pub(crate) async fn after(&self, seen: Option<u64>) -> HealthReply {
        let mut changes = self.0.subscribe();
        let changed = changes.wait_for(|(number, _)| Some(*number) != seen).await;
        // The sender is part of `self` and cannot be gone.
        let (seen, health) = changed.map(|found| found.clone()).unwrap_or_default();
        HealthReply { seen, health }
    }

    fn record(&self, check: &HealthCheck, probe: HealthProbe, starting: bool) {
        self.0.send_modify(|(number, health)| {
            *number += 1;
            health.get_or_insert_default().record(check, probe, starting);
        });
    }
}

/// Runs the check over and over, from the start of the init process on. Nothing is found out while the container is
/// paused.
pub(crate) async fn keep_checking(runtime: &Arc<Runtime>, check: Option<&HealthCheck>) -> Infallible {
    let Some(check) = check else {
        return pending().await;
    };
    runtime.init_started().await;
    let began = Instant::now();
    let start_period = Duration::from_millis(check.start_period_in_milliseconds);
    let mut succeeded = false;
    loop {
        let starting = !succeeded && began.elapsed() < start_period;
        sleep(Duration::from_millis(if starting {
            check.start_interval_in_milliseconds
        } else {
            check.interval_in_milliseconds
        }))
        .await;
        if runtime.is_frozen() {
            continue;
        }
        let start = Timestamp::now();
        let (exit_code, output) = match run(runtime, check).await {
            Ok(ended) => ended,
            Err(error) => (-1, error.long_form()),
        };
        succeeded |= exit_code == 0;
        let probe = HealthProbe {
            start,
            end: Timestamp::now(),
            exit_code,
            output,
        };
        runtime
            .health()
            .record(check, probe, began.elapsed() < start_period);
    }
}

/// One run: its exit code, and what it wrote.
async fn run(runtime: &Arc<Runtime>, check: &HealthCheck) -> Result<(i32, String), Error> {
    let id = Uuid::new_v4().to_string();
    let (reader, writer) = std::io::pipe()?;
    let reader = Receiver::from_owned_fd(reader.into())?;
    let request = CreateProcessRequest {
        id: id.clone(),
        process_config: process(runtime.init_process(), check),
        stdio: StdioSet::default(),
    };
    let stdio = Stdio {
        stdin: None,
        stdout: Some(writer.try_clone()?.into()),
        stderr: Some(OwnedFd::from(writer)),
    };
    runtime.create_process(request, stdio)?;
    let limit = Duration::from_millis(check.timeout_in_milliseconds);
    let ended = async {
        runtime.start(&id).await?;
        runtime.wait(&id).await
    };
    // Output is read while the process runs, so that it never waits for that.
    let (ended, output) = tokio::join!(timeout(limit, ended), timeout(limit, read(reader)));
    let output = output.unwrap_or_default();
    match ended {
        Ok(ended) => Ok((ended?.exit_code, output)),
        Err(_) => {
            let killed = async {
                runtime.kill(&id, signal::KILL).await?;
                runtime.wait(&id).await
            };
            if let Ok(Err(error)) = timeout(KILL_LIMIT, killed).await {
                tracing::warn!(%error, "failed to kill a health check");
            }
            Ok((-1, format!("health check did not end within {limit:?}")))
        }
    }
}

/// The init process with another command.
fn process(init: &ProcessConfiguration, check: &HealthCheck) -> ProcessConfiguration {
    let mut words = check.command.iter().cloned();
    ProcessConfiguration {
        executable: words.next().unwrap_or_default(),
        arguments: words.collect(),
        terminal: false,
        ..init.clone()
    }
}

/// The beginning of what comes, read to its end.
async fn read(mut reader: Receiver) -> String {
    let mut output = Vec::new();
    let mut buffer = [0; OUTPUT];
    while let Ok(amount @ 1..) = reader.read(&mut buffer).await {
        let left = OUTPUT - output.len();
        output.extend_from_slice(&buffer[..amount.min(left)]);
    }
    String::from_utf8_lossy(&output).into_owned()
}
