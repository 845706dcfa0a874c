//! Stopping a container: signal, grace period, SIGKILL, power off (behaviour reference, 11.7).

use std::sync::Arc;
use std::time::Duration;

use container_client::api::StopOptions;
use container_ipc::{Error, ErrorCode};

use crate::service::Runtime;
use crate::signal;
use crate::state::Step;

/// How long a killed init process may take to end before the machine is powered off under it.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Stops the container and waits until its machine is gone. A container that is not running is fine.
///
/// # Errors
/// The signal is not known; the container goes on then.
pub(crate) async fn stop(runtime: &Arc<Runtime>, options: StopOptions) -> Result<(), Error> {
    let name = options.signal.as_deref().unwrap_or(runtime.stop_signal());
    let number = signal::parse(name)
        .ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("invalid signal: {name}")))?;
    match runtime.for_stop() {
        (Step::Created | Step::Booting | Step::Stopped, ..) => return Ok(()),
        (Step::Running, Some(guest), Some(init)) => {
            // Frozen processes could not obey.
            let _ = runtime.freeze(false).await;
            let grace = Duration::from_secs(
                options
                    .timeout_in_seconds
                    .unwrap_or(StopOptions::DEFAULT_TIMEOUT)
                    .into(),
            );
            for (number, limit) in [(number, grace), (signal::KILL, KILL_LIMIT)] {
                // A guest that does not answer is handled like a process that does not obey.
                if let Err(error) = init.kill(&guest, number).await {
                    tracing::warn!(%error, number, "failed to send a signal");
                }
                if tokio::time::timeout(limit, runtime.stopped()).await.is_ok() {
                    return Ok(());
                }
            }
            runtime.power_off();
        }
        (Step::Stopping, ..) => {}
        _ => runtime.power_off(),
    }
    runtime.stopped().await;
    Ok(())
}
