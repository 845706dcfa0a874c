//! Options of how containers are stopped (`stop`, `restart`).

use clap::Args;
use container_client::api::StopOptions;

use crate::error::Failure;

/// Options of how containers are stopped (`stop`, `restart`).
#[derive(Args, Debug, Clone)]
pub struct StopFlags {
    /// Signal.
    #[arg(short = 's', long, value_name = "signal", help = "Signal: name or number")]
    pub signal: Option<String>,
    /// Grace period in seconds.
    #[arg(
        short = 't',
        long,
        value_name = "time",
        help = "Grace period in seconds; 5 when absent, or the container's own"
    )]
    pub time: Option<i32>,
}

impl StopFlags {
    /// What the options say.
    ///
    /// # Errors
    /// A negative grace period.
    pub fn options(self) -> Result<StopOptions, Failure> {
        let valid = |seconds: i32| {
            u32::try_from(seconds).map_err(|_| Failure::error(format!("invalid grace period '{seconds}'")))
        };
        Ok(StopOptions {
            timeout_in_seconds: self.time.map(valid).transpose()?,
            signal: self.signal,
            ..StopOptions::default()
        })
    }
}
