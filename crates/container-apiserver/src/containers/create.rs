//! Creating a container (behaviour reference, 11.2).

use std::path::PathBuf;

use container_client::BundleConfiguration;
use container_client::api::ContainerCreateRequest;
use container_client::phases::{Phases, Stopwatch};
use container_ipc::{Error, ErrorCode, Progress};
use container_resource::event::Action;
use container_resource::name::is_container_id;
use container_resource::{ContainerConfiguration, Resources};

use super::Containers;
use super::container::Container;
use super::ingest::{self, Disks};
use crate::work::blocking;

impl Containers {
    /// Stores a new container. Nothing is started.
    ///
    /// # Errors
    /// The id or a host name is taken, the runtime is not known, memory is below the minimum, or the kernel or an image
    /// is missing.
    pub(crate) async fn create(
        &self,
        request: ContainerCreateRequest,
        progress: Progress,
    ) -> Result<Phases, Error> {
        let this = self.clone();
        self.0
            .work
            .finish(async move { this.store(request, progress).await })
            .await
    }

    async fn store(&self, request: ContainerCreateRequest, progress: Progress) -> Result<Phases, Error> {
        let mut watch = Stopwatch::default();
        let ContainerCreateRequest {
            configuration,
            kernel,
            options,
            init_image,
        } = request;
        check_id(&configuration.id)?;
        let reservation = self.0.table.reserve(&configuration)?;
        self.check(&configuration)?;
        let expected = self.0.volumes.expect(&configuration.mounts)?;
        let names = configuration
            .networks
            .iter()
            .map(|network| network.network.as_str());
        let expected_networks = self.0.networks.expect(&configuration.id, names)?;

        let kernel_image = kernel_image(&kernel.path)?;
        let init_image = init_image.unwrap_or_else(|| self.0.configuration.vminit.image.clone());
        let init_disk = self
            .0
            .images
            .init_disk(&init_image, &kernel.platform, &progress)
            .await?;
        watch.lap("init image");
        let root_disk = self
            .0
            .images
            .disk(&configuration.image, &configuration.platform, &progress)
            .await?;
        watch.lap("image");

        let record = BundleConfiguration {
            configuration,
            options,
            kernel,
        };
        let disks = Disks {
            kernel: kernel_image,
            init: init_disk,
            root: root_disk,
        };
        let (directory, kernels) = (self.directory(), self.0.app_root.join(crate::kernels::DIRECTORY));
        let container = blocking(move || {
            let bundle = ingest::write(&directory, &kernels, &record, &disks)?;
            Ok(Container::created(bundle, record))
        })
        .await?;
        tracing::info!(id = container.id, "created container");
        let container = reservation.fill(container);
        self.tell(&container, Action::Create, None);
        drop((expected, expected_networks));
        watch.lap("create");
        Ok(watch.finish())
    }

    fn check(&self, configuration: &ContainerConfiguration) -> Result<(), Error> {
        let handler = &configuration.runtime_handler;
        if self.0.jobs.program(handler).is_none() {
            return Err(Error::not_found(format!(
                "unable to locate runtime plugin {handler}"
            )));
        }
        let memory = configuration.resources.memory_in_bytes;
        if memory < Resources::MINIMUM_MEMORY {
            return Err(Error::invalid_argument(format!(
                "minimum memory amount allowed is 200 MiB (got {memory} bytes)"
            )));
        }
        Ok(())
    }
}

/// Ids become file names, so nothing else may pass.
pub(super) fn check_id(id: &str) -> Result<(), Error> {
    match id {
        "" => Err(Error::invalid_argument("id cannot be empty")),
        id if is_container_id(id) => Ok(()),
        id => Err(Error::invalid_argument(format!(
            "container ID {id} is not a valid container ID"
        ))),
    }
}

/// The kernel's file behind any links.
fn kernel_image(path: &std::path::Path) -> Result<PathBuf, Error> {
    let image = path.canonicalize().ok().filter(|image| image.is_file());
    image.ok_or_else(|| {
        Error::new(
            ErrorCode::NotFound,
            format!("kernel not found at {}", path.display()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_that_are_file_names_pass() {
        assert!(check_id("web").is_ok());
        for id in ["", "..", "../web", "a/b", ".ingest-1", "a"] {
            assert!(check_id(id).is_err(), "{id}");
        }
    }
}
