//! Options for downloading.

use clap::Args;

/// Options for downloading.
#[derive(Args, Debug, Clone)]
#[command(next_help_heading = "Image fetch options")]
pub struct ImageFetchFlags {
    /// Parallel blob downloads (>0).
    #[arg(long, value_name = "max-concurrent-downloads", default_value = "3")]
    pub max_concurrent_downloads: i64,
}
