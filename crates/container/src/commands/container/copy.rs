//! `container copy`: copy a file or directory between host and a running container.

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container copy`.
#[derive(Args, Debug, Clone)]
pub struct Copy {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Local path or an absolute path in a container.
    #[arg(value_name = "source", help = "Local path or container:/abs/path")]
    pub source: String,
    /// Local path or an absolute path in a container.
    #[arg(value_name = "destination", help = "Local path or container:/abs/path")]
    pub destination: String,
}
