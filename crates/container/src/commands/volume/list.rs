//! `container volume list`: list volumes.

use clap::Args;
use container_resource::Volume;

use crate::error::Outcome;
use crate::output;
use crate::output::list::{Row, encode};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container volume list`.
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
        let volumes = api.volumes().await?;
        let names: Vec<String> = volumes.iter().map(|volume| volume.id.clone()).collect();
        let names = self.quiet.then_some(names.as_slice());
        output::print(&encode(&volumes, &volumes, names, self.format));
        Ok(0)
    }
}

impl Row for Volume {
    const HEADER: &'static [&'static str] = &["NAME", "TYPE", "DRIVER", "OPTIONS"];

    fn cells(&self) -> Vec<String> {
        let kind = if self.is_anonymous() { "anonymous" } else { "named" };
        let options = self.configuration.options.iter();
        let options: Vec<String> = options.map(|(key, value)| format!("{key}={value}")).collect();
        vec![
            self.id.clone(),
            kind.to_owned(),
            self.configuration.driver.clone(),
            options.join(","),
        ]
    }
}
