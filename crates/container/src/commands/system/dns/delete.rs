//! `container system dns delete`: delete a resolver domain (root).

use clap::Args;

use super::platform;
use crate::error::Outcome;
use crate::flags::logging::LoggingFlags;

/// Arguments of `container system dns delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Domain name.
    #[arg(value_name = "domain-name")]
    pub domain_name: String,
}

impl Delete {
    pub(super) fn run(self) -> Outcome {
        platform::delete(&self.domain_name)
    }
}
