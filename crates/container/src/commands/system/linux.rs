//! The API server under the user's systemd where there is one, else as a process of its own.

use std::path::Path;

use container_service_manager::systemd::UserManager;
use container_service_manager::{Error, Job, ServiceManager};

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
