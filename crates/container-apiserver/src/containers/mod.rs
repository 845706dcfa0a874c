//! Containers: which there are, and what is done to them (behaviour reference, section 11).

mod adopt;
mod container;
mod create;
mod delete;
mod disk_usage;
mod end;
mod events;
mod files;
mod filter;
mod freeze;
mod health;
mod ingest;
mod load;
mod networks;
mod process;
mod read;
mod rename;
mod restart;
mod run;
mod start;
mod stop;
mod table;
mod update;
mod volumes;

use std::path::PathBuf;
use std::sync::Arc;

use container_client::bundle::CONTAINERS_DIRECTORY;
use container_config::SystemConfiguration;
use container_ipc::{Error, runtime_dir};

use self::container::Container;
use self::events::Events;
use self::table::Table;
use crate::image_service::ImageService;
use crate::jobs::Jobs;
use crate::networks::Networks;
use crate::volumes::Volumes;
use crate::work::Work;

/// The containers of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Containers(Arc<Shared>);

/// What the operations share.
#[derive(Debug)]
struct Shared {
    app_root: PathBuf,
    runtime_directory: PathBuf,
    configuration: SystemConfiguration,
    images: ImageService,
    volumes: Volumes,
    networks: Networks,
    jobs: Jobs,
    table: Table,
    work: Work,
    events: Events,
}

impl Containers {
    /// The containers below `app_root`, none of which is known before [`load`](Self::load).
    pub(crate) fn new(
        app_root: PathBuf,
        configuration: SystemConfiguration,
        images: ImageService,
        volumes: Volumes,
        networks: Networks,
        jobs: Jobs,
        work: Work,
    ) -> Self {
        let table = Table::default();
        Self(Arc::new(Shared {
            runtime_directory: runtime_dir(&app_root),
            app_root,
            configuration,
            images,
            volumes,
            networks,
            jobs,
            table,
            work,
            events: Events::default(),
        }))
    }

    /// The directory that holds the bundles.
    fn directory(&self) -> PathBuf {
        self.0.app_root.join(CONTAINERS_DIRECTORY)
    }

    /// The container `id`.
    fn find(&self, id: &str) -> Result<Arc<Container>, Error> {
        self.0.table.find(id).ok_or_else(|| not_found(id))
    }
}

fn not_found(id: &str) -> Error {
    Error::not_found(format!("container with ID {id} not found"))
}
