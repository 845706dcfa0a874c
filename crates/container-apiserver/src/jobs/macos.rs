//! Helpers as jobs of launchd, which gives them their mach service.

use std::path::Path;

use container_client::services;
use container_ipc::{Endpoint, Error};
use container_service_manager::launchd::Launchd;
use container_service_manager::{Job, ServiceManager};

use super::failure;

/// Starts `job`. Clients can connect to its endpoint from then on.
pub(super) async fn start(
    manager: &ServiceManager,
    runtime_directory: &Path,
    job: Job,
    endpoint: Option<&Endpoint>,
) -> Result<i32, Error> {
    // This one makes its own socket elsewhere. Here nobody can.
    let images = (job.label == services::helper_label(services::IMAGES_PROGRAM, None))
        .then(|| Endpoint::new(runtime_directory, &services::images()));
    let launchd = Launchd::new(runtime_directory);
    let launchd = endpoint
        .or(images.as_ref())
        .into_iter()
        .fold(launchd, Launchd::serving);
    let started = manager.start_with(&launchd, &job).await;
    started.map_err(|error| failure(&error))
}

/// Removes what launchd knows about a job that has ended.
pub(super) async fn forget(runtime_directory: &Path, label: &str) {
    if let Err(error) = Launchd::new(runtime_directory).forget(label).await {
        tracing::warn!(label, error = failure(&error).message, "failed to remove a job");
    }
}
