//! `container network list`: list networks.

use clap::Args;
use container_resource::Network;

use crate::error::Outcome;
use crate::output;
use crate::output::list::{Row, encode};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container network list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Names only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let networks = api.networks().await?;
        let names: Vec<String> = networks.iter().map(|network| network.id.clone()).collect();
        let names = self.quiet.then_some(names.as_slice());
        output::print(&encode(&networks, &networks, names, self.format));
        Ok(0)
    }
}

impl Row for Network {
    const HEADER: &'static [&'static str] = &["NETWORK", "SUBNET"];

    fn cells(&self) -> Vec<String> {
        vec![self.id.clone(), self.status.ipv4_subnet.clone()]
    }
}
