//! What the system commands do on macOS: the API server as a job of launchd, and the unified log.

use std::path::Path;
use std::time::Duration;

use container_client::services;
use container_config::Roots;
use container_ipc::Endpoint;
use container_service_manager::launchd::Launchd;
use container_service_manager::{Error, Job, ServiceManager};

use crate::error::Outcome;
use crate::{service_logs, unified_log};

pub(super) async fn start(manager: &ServiceManager, directory: &Path, job: &Job) -> Result<i32, Error> {
    let endpoint = Endpoint::new(directory, &services::api_server());
    // Containers whose restart policy says so are there again after a restart of the machine.
    let launchd = Launchd::new(directory).serving(&endpoint).at_login(true);
    manager.start_with(&launchd, job).await
}

/// Nothing is left that could start the server again.
pub(super) async fn forget(directory: &Path, label: &str) -> Result<(), Error> {
    Launchd::new(directory).forget(label).await
}

/// Nothing is left of the jobs that have ended.
pub(super) async fn forget_all(directory: &Path) -> Result<(), Error> {
    Launchd::new(directory).forget_all().await
}

/// Shows the log files where a log root was chosen, and the unified log otherwise.
pub(super) async fn show_logs(roots: &Roots, last: &str, window: Duration, debug: bool) -> Outcome {
    match roots.log {
        Some(_) => service_logs::show(roots, window),
        None => unified_log::show(Some(last), debug).await,
    }
}

/// Follows the same.
pub(super) async fn follow_logs(roots: &Roots, debug: bool) -> Outcome {
    match roots.log {
        Some(_) => service_logs::follow(roots).await,
        None => unified_log::show(None, debug).await,
    }
}
