//! `container update`: change labels and restart policy of containers. Apple's tool has no such command.

use clap::Args;
use container_client::api::ContainerUpdateRequest;

use super::configuration::restart;
use super::targets::{Candidates, each, resolve};
use crate::error::Outcome;
use crate::parse::label;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container update`.
#[derive(Args, Debug, Clone)]
pub struct Update {
    /// Add or replace a label.
    #[arg(
        short = 'l',
        long,
        value_name = "label",
        help = "Add or replace a label: key[=value]"
    )]
    pub label: Vec<String>,
    /// Remove a label.
    #[arg(long, value_name = "key")]
    pub remove_label: Vec<String>,
    /// When to start the container again.
    #[arg(
        long,
        value_name = "policy",
        help = "When to start it again: no, on-failure[:<retries>], always or unless-stopped"
    )]
    pub restart: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container ids.
    #[arg(value_name = "container-ids", required = true)]
    pub container_ids: Vec<String>,
}

impl Update {
    pub(super) async fn run(self) -> Outcome {
        let change = ContainerUpdateRequest {
            id: String::new(),
            labels: label::parse(&self.label)?,
            removed_labels: self.remove_label,
            restart_policy: self.restart,
        };
        // A mistake is told before anything is asked.
        restart(change.restart_policy.as_deref())?;
        let api = Services::from_environment()?.api().await?;
        let candidates = Candidates {
            all: false,
            conflict: "container IDs",
            only_running: false,
        };
        let ids = resolve(&api, self.container_ids, candidates).await?;
        each(ids, |id| {
            let request = ContainerUpdateRequest { id, ..change.clone() };
            let api = api.clone();
            async move { api.update(request).await }
        })
        .await
    }
}
