//! `container system kernel set`: install a default kernel.

use clap::Args;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::KernelArch;

/// Arguments of `container system kernel set`.
#[derive(Args, Debug, Clone)]
pub struct Set {
    /// Architecture of the kernel.
    #[arg(long, value_name = "arch")]
    pub arch: Option<KernelArch>,
    /// Kernel file.
    #[arg(long, value_name = "binary", help = "Kernel file: path or tar member")]
    pub binary: Option<String>,
    /// Overwrite.
    #[arg(long)]
    pub force: bool,
    /// Download the recommended kernel; ignores the other options.
    #[arg(long)]
    pub recommended: bool,
    /// Archive with the kernel.
    #[arg(
        long,
        value_name = "tar",
        help = "Archive with the kernel: path or http(s) URL"
    )]
    pub tar: Option<String>,
    /// Expected archive digest; mandatory for a remote archive.
    #[arg(
        long,
        value_name = "digest",
        help = "Expected archive digest; mandatory for a remote archive: sha256:<64 hex>"
    )]
    pub digest: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
