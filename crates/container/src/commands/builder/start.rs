//! `container builder start`: create/start the builder.

use clap::Args;

use crate::flags::dns::DnsFlags;
use crate::flags::logging::LoggingFlags;

/// Arguments of `container builder start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// CPUs.
    #[arg(short = 'c', long, value_name = "cpus")]
    pub cpus: Option<i64>,
    /// Memory.
    #[arg(short = 'm', long, value_name = "memory")]
    pub memory: Option<String>,
    /// Resolver settings.
    #[command(flatten, next_help_heading = "DNS options")]
    pub dns: DnsFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
