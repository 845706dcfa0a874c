//! `container registry list`: list stored logins.

use clap::Args;
use container_resource::RegistryResource;

use crate::error::Outcome;
use crate::output;
use crate::output::list::{Row, encode};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container registry list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Host names only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let logins = Services::from_environment()?.images().await?.logins().await?;
        let hosts: Vec<String> = logins.iter().map(|login| login.name.clone()).collect();
        let hosts = self.quiet.then_some(hosts.as_slice());
        output::print(&encode(&logins, &logins, hosts, self.format));
        Ok(0)
    }
}

impl Row for RegistryResource {
    const HEADER: &'static [&'static str] = &["HOSTNAME", "USERNAME", "MODIFIED", "CREATED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.username.clone(),
            self.modification_date.to_string(),
            self.creation_date.to_string(),
        ]
    }
}
