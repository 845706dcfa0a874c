//! What can be read about containers. Nothing here waits for somebody else's operation.

use std::fs::File;
use std::os::fd::OwnedFd;

use container_client::api::ContainerFilter;
use container_ipc::Error;
use container_resource::{ContainerSnapshot, ContainerStatistics, RunningProcess};

use super::Containers;
use super::filter::Filter;

impl Containers {
    /// The containers that pass `filter`, ordered by id.
    ///
    /// # Errors
    /// A label's pattern is not a regular expression.
    pub(crate) fn list(&self, filter: ContainerFilter) -> Result<Vec<ContainerSnapshot>, Error> {
        let filter = Filter::new(filter)?;
        let snapshots = self
            .0
            .table
            .all()
            .into_iter()
            .map(|container| container.snapshot());
        Ok(snapshots.filter(|snapshot| filter.passes(snapshot)).collect())
    }

    /// The directory of the container's output, and its boot log, opened for reading.
    ///
    /// # Errors
    /// The container is not known or was never started.
    pub(crate) fn logs(&self, id: &str) -> Result<Vec<OwnedFd>, Error> {
        let bundle = self.find(id)?.bundle.clone();
        let open = |path| {
            File::open(path)
                .map(OwnedFd::from)
                .map_err(|error| Error::internal(format!("failed to open container logs: {error}")))
        };
        Ok(vec![open(bundle.stdio_log())?, open(bundle.boot_log())?])
    }

    /// The processes of a running container.
    ///
    /// # Errors
    /// The container is not known or does not run.
    pub(crate) async fn processes(&self, id: &str) -> Result<Vec<RunningProcess>, Error> {
        let run = self.find(id)?.live().await?;
        run.client.processes().await
    }

    /// A running container's counters.
    ///
    /// # Errors
    /// The container is not known or does not run.
    pub(crate) async fn statistics(&self, id: &str) -> Result<ContainerStatistics, Error> {
        let container = self.find(id)?;
        let run = container.live().await?;
        run.client.statistics().await
    }
}
