//! What the system commands do on Linux: the API server under the user's systemd where there is one, else as a process of its own.

use std::path::Path;
use std::time::Duration;

use container_config::Roots;
use container_service_manager::systemd::UserManager;
use container_service_manager::{Error, Job, ServiceManager};

use crate::error::Outcome;
use crate::service_logs;

pub(super) async fn start(manager: &ServiceManager, directory: &Path, job: &Job) -> Result<i32, Error> {
    match UserManager::detect(directory).await {
        Some(systemd) => manager.start_with(&systemd, job).await,
        None => manager.start(job).await,
    }
}

/// Nothing is left that could start the server again.
pub(super) async fn forget(directory: &Path, label: &str) -> Result<(), Error> {
    match UserManager::detect(directory).await {
        Some(systemd) => systemd.forget(label).await,
        None => Ok(()),
    }
}

/// Nothing is left of processes that have ended.
pub(super) async fn forget_all(_directory: &Path) -> Result<(), Error> {
    Ok(())
}

/// Shows the log files.
pub(super) async fn show_logs(roots: &Roots, _last: &str, window: Duration, _debug: bool) -> Outcome {
    service_logs::show(roots, window)
}

/// Follows the log files.
pub(super) async fn follow_logs(roots: &Roots, _debug: bool) -> Outcome {
    service_logs::follow(roots).await
}
