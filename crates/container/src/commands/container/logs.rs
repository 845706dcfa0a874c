//! `container logs`: print container output or boot log.

use std::fs::File;

use clap::Args;
use container_resource::time::Timestamp;

use crate::error::{Failure, Outcome};
use crate::logs::{self, View};
use crate::parse::moment;
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
    /// Only output since a point in time.
    #[arg(
        long,
        value_name = "time",
        conflicts_with = "boot",
        help = "Only output since then: a date and time, seconds since 1970, or how long ago (10m, 1h30m)"
    )]
    pub since: Option<String>,
    /// Begin each line with its time.
    #[arg(short = 't', long, conflicts_with = "boot")]
    pub timestamps: bool,
    /// Only output before a point in time.
    #[arg(
        long,
        value_name = "time",
        conflicts_with = "boot",
        help = "Only output before then: a date and time, seconds since 1970, or how long ago (10m, 1h30m)"
    )]
    pub until: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Logs {
    pub(super) async fn run(self) -> Outcome {
        let now = Timestamp::now();
        let moment = |option, text: &Option<String>| {
            let parse = |text: &String| moment::parse(option, text, now);
            text.as_ref().map(parse).transpose()
        };
        let view = View {
            lines: self.lines.map(|lines| usize::try_from(lines).unwrap_or(0)),
            follow: self.follow,
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
            timestamps: self.timestamps,
        };
        let api = Services::from_environment()?.api().await?;
        let [stdio, boot] = api.logs(&self.container_id).await?;
        let shown = if self.boot {
            logs::show_file(File::from(boot), view.lines, view.follow).await
        } else {
            logs::show_records(stdio, view).await
        };
        shown.map_err(|error| Failure::error(format!("failed to read container logs: {error}")))?;
        Ok(0)
    }
}
