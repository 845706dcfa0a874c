//! `container logs`: print container output or boot log.

use std::fs::File;

use clap::Args;

use crate::error::{Failure, Outcome};
use crate::logs;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container logs`.
#[derive(Args, Debug, Clone)]
pub struct Logs {
    /// VM boot log instead of stdio.
    #[arg(long)]
    pub boot: bool,
    /// Keep following.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Last N lines.
    #[arg(short = 'n', value_name = "n")]
    pub lines: Option<i64>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Logs {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let [stdio, boot] = api.logs(&self.container_id).await?;
        let file = File::from(if self.boot { boot } else { stdio });
        let lines = self.lines.map(|lines| usize::try_from(lines).unwrap_or(0));
        logs::show(file, lines, self.follow)
            .await
            .map_err(|error| Failure::error(error.to_string()))?;
        Ok(0)
    }
}
