//! `container system property list`: print the effective configuration.

use clap::Args;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::PropertyFormat;

/// Arguments of `container system property list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "toml")]
    pub format: PropertyFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        match self.format {
            PropertyFormat::Json => output::print_line(&output::json::compact(&system)),
            PropertyFormat::Toml => output::print(&output::toml::encode(&system)),
        }
        Ok(0)
    }
}
