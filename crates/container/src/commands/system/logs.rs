//! `container system logs`: service log.

use clap::Args;

use super::platform;
use crate::Context;
use crate::error::Outcome;
use crate::parse::last;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container system logs`.
#[derive(Args, Debug, Clone)]
pub struct Logs {
    /// Stream.
    #[arg(short = 'f', long)]
    pub follow: bool,
    /// Look-back window.
    #[arg(
        long,
        value_name = "last",
        default_value = "5m",
        help = "Look-back window: <number>[m|h|d]"
    )]
    pub last: String,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Logs {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let roots = Services::from_environment()?.roots;
        if self.follow {
            return platform::follow_logs(&roots, context.debug).await;
        }
        // Only here: what a stream looks back to is not asked for.
        let window = last::parse(&self.last)?;
        platform::show_logs(&roots, &self.last, window, context.debug).await
    }
}
