//! `container delete`: delete containers.

use clap::Args;
use container_client::api::ContainerFilter;
use container_resource::ContainerState;

use super::targets::{Candidates, each, is_machine, resolve};
use crate::error::Outcome;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every container (running ones only with --force).
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Also delete running containers.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids")]
    pub container_ids: Vec<String>,
}

impl Delete {
    pub(super) async fn run(self) -> Outcome {
        let candidates = Candidates {
            all: self.all,
            conflict: "container ID(s)",
            only_running: false,
        };
        candidates.check(&self.container_ids)?;
        let api = Services::from_environment()?.api().await?;
        let ids = if self.all && !self.force {
            let containers = api.list(ContainerFilter::default()).await?;
            let idle = |state| matches!(state, ContainerState::Stopped | ContainerState::Unknown);
            let deletable = containers
                .into_iter()
                .filter(|c| !is_machine(c) && idle(c.status.state));
            deletable.map(|container| container.id).collect()
        } else {
            resolve(&api, self.container_ids, candidates).await?
        };
        each(ids, |id| {
            let (api, force) = (api.clone(), self.force);
            async move { api.delete(&id, force).await }
        })
        .await
    }
}
