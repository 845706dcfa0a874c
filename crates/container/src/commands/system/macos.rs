//! The API server as a job of launchd.

use std::path::Path;

use container_client::services;
use container_ipc::Endpoint;
use container_service_manager::launchd::Launchd;
use container_service_manager::{Error, Job, ServiceManager};

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
