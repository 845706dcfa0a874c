//! The API server as a process of its own.

use std::path::Path;

use container_service_manager::{Error, Job, ServiceManager};

pub(super) async fn start(manager: &ServiceManager, _directory: &Path, job: &Job) -> Result<i32, Error> {
    manager.start(job).await
}

/// Nothing starts the server again.
pub(super) async fn forget(_directory: &Path, _label: &str) -> Result<(), Error> {
    Ok(())
}
