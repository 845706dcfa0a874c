//! `container export`: write the root filesystem of a container as a tar (behaviour.md 14.3).

use clap::Args;

use crate::error::Outcome;
use crate::flags::logging::LoggingFlags;
use crate::output::target::Target;
use crate::services::Services;

/// Arguments of `container export`.
#[derive(Args, Debug, Clone)]
pub struct Export {
    /// Target file.
    #[arg(short = 'o', long, value_name = "output")]
    pub output: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Id.
    #[arg(value_name = "id")]
    pub id: String,
}

impl Export {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let target = Target::open(self.output.as_deref())?;
        api.export(&self.id, target.descriptor()?).await?;
        target.keep()?;
        Ok(0)
    }
}
