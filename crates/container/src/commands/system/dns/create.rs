//! `container system dns create`: create a resolver domain (root).

use clap::Args;

use super::platform;
use crate::error::Outcome;
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

impl Create {
    pub(super) fn run(self) -> Outcome {
        platform::create(&self.domain_name, self.localhost.as_deref())
    }
}
