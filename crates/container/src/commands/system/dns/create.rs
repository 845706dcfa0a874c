//! `container system dns create`: create a resolver domain (root).

use clap::Args;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system dns create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Redirect this address to 127.0.0.1 through pf.
    #[arg(
        long,
        value_name = "localhost",
        help = "Redirect this address to 127.0.0.1 through pf: IPv4 address"
    )]
    pub localhost: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Domain name.
    #[arg(value_name = "domain-name")]
    pub domain_name: String,
}
