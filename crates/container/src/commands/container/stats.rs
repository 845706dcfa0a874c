//! `container stats`: resource usage of containers.

use clap::Args;

use crate::error::Outcome;
use crate::output;
use crate::services::Services;
use crate::stats::{INTERVAL, Sampler, stream, watch};

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container stats`.
#[derive(Args, Debug, Clone)]
pub struct Stats {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// One sample instead of a live table.
    #[arg(long)]
    pub no_stream: bool,
    /// Go on printing samples in a format other than table.
    #[arg(
        long,
        conflicts_with = "no_stream",
        help = "Go on printing samples also in another format than table; with json one line each"
    )]
    pub stream: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Default: all running.
    #[arg(value_name = "containers")]
    pub containers: Vec<String>,
}

impl Stats {
    pub(super) async fn run(self) -> Outcome {
        let mut sampler = Sampler::new(Services::from_environment()?, &self.containers);
        let is_table = matches!(self.format, ListFormat::Table);
        if is_table && !self.no_stream {
            return watch(sampler).await;
        }
        if self.stream {
            return stream(sampler, self.format).await;
        }
        let mut samples = sampler.sample().await?;
        // Counters alone need no second sample: only the table has a percentage.
        if is_table && !samples.is_empty() {
            tokio::time::sleep(INTERVAL).await;
            samples = sampler.sample().await?;
        }
        let counters: Vec<_> = samples.iter().map(|sample| &sample.counters).collect();
        output::print(&output::list::encode(&counters, &samples, None, self.format));
        Ok(0)
    }
}
