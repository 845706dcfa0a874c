//! `container build`: build an image with the BuildKit builder VM.

use clap::Args;

use crate::flags::dns::DnsFlags;
use crate::flags::logging::LoggingFlags;
use crate::flags::values::BuildProgress;

/// Arguments of `container build`.
#[derive(Args, Debug, Clone)]
pub struct Build {
    /// Target architecture.
    #[arg(
        short = 'a',
        long,
        value_name = "value",
        help = "Target architecture: comma separated list allowed"
    )]
    pub arch: Vec<String>,
    /// Build argument.
    #[arg(long, value_name = "key=val")]
    pub build_arg: Vec<String>,
    /// Cache import specification.
    #[arg(long, hide = true, value_name = "value")]
    pub cache_in: Vec<String>,
    /// Cache export specification.
    #[arg(long, hide = true, value_name = "value")]
    pub cache_out: Vec<String>,
    /// CPUs of the builder.
    #[arg(short = 'c', long, value_name = "cpus")]
    pub cpus: Option<i64>,
    /// Dockerfile.
    #[arg(short = 'f', long, value_name = "path", help = "Dockerfile: path | - (stdin)")]
    pub file: Option<String>,
    /// Image label.
    #[arg(short = 'l', long, value_name = "key=val")]
    pub label: Vec<String>,
    /// Memory of the builder.
    #[arg(short = 'm', long, value_name = "memory")]
    pub memory: Option<String>,
    /// Ignore the cache.
    #[arg(long)]
    pub no_cache: bool,
    /// Exporter.
    #[arg(
        short = 'o',
        long,
        value_name = "value",
        default_value = "type=oci",
        help = "Exporter: type=<oci|tar|local>[,dest=PATH]"
    )]
    pub output: Vec<String>,
    /// Target OS.
    #[arg(
        long,
        value_name = "value",
        default_value = "linux",
        help = "Target OS: comma separated list allowed"
    )]
    pub os: Vec<String>,
    /// Target platform; wins over --os/--arch.
    #[arg(
        long,
        value_name = "platform",
        help = "Target platform; wins over --os/--arch: comma separated os/arch[/variant]"
    )]
    pub platform: Vec<String>,
    /// Progress style.
    #[arg(long, value_name = "type", default_value = "auto")]
    pub progress: BuildProgress,
    /// No build output.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// Build secret.
    #[arg(
        long,
        value_name = "id=key,...",
        help = "Build secret: id=<key>[,env=<VAR>|,src=<path>]"
    )]
    pub secret: Vec<String>,
    /// Forward the SSH agent.
    #[arg(long, value_name = "default")]
    pub ssh: Option<String>,
    /// Image name.
    #[arg(short = 't', long, value_name = "name")]
    pub tag: Vec<String>,
    /// Stage to build.
    #[arg(long, value_name = "stage")]
    pub target: Option<String>,
    /// Port of the builder shim.
    #[arg(long, value_name = "port", default_value = "8088")]
    pub vsock_port: u32,
    /// Always fetch base images.
    #[arg(long)]
    pub pull: bool,
    /// Build context directory.
    #[arg(value_name = "context-dir", default_value = ".")]
    pub context_dir: String,
    /// Resolver settings.
    #[command(flatten, next_help_heading = "DNS options")]
    pub dns: DnsFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}
