//! `container list`: list containers.

use clap::Args;
use container_client::api::ContainerFilter;
use container_resource::ContainerSnapshot;

use super::targets::is_machine;
use crate::error::Outcome;
use crate::output;
use crate::output::list::Row;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Include stopped ones.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Ids only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let mut containers = api.list(ContainerFilter::default()).await?;
        containers.retain(|container| !is_machine(container) && (self.all || container.status.state.is_up()));
        let ids: Vec<String> = containers.iter().map(|container| container.id.clone()).collect();
        let names = self.quiet.then_some(ids.as_slice());
        output::print(&output::list::encode(
            &containers,
            &containers,
            names,
            self.format,
        ));
        Ok(0)
    }
}

impl Row for ContainerSnapshot {
    const HEADER: &'static [&'static str] = &[
        "ID", "IMAGE", "OS", "ARCH", "STATE", "IP", "CPUS", "MEMORY", "STARTED",
    ];

    fn cells(&self) -> Vec<String> {
        let configuration = &self.configuration;
        let addresses: Vec<&str> = self
            .status
            .networks
            .iter()
            .map(|network| network.ipv4_address.as_str())
            .collect();
        vec![
            self.id.clone(),
            configuration.image.reference.clone(),
            configuration.platform.os.clone(),
            configuration.platform.architecture.clone(),
            self.status.state.to_string(),
            addresses.join(","),
            configuration.resources.cpus.to_string(),
            format!("{} MB", configuration.resources.memory_in_bytes >> 20),
            self.status
                .started_date
                .map(|date| date.to_string())
                .unwrap_or_default(),
        ]
    }
}
