//! Options for health checks (`run`, `create`).

use clap::Args;

/// Options for health checks (`run`, `create`).
#[derive(Args, Debug, Clone)]
pub struct HealthFlags {
    /// Command that finds out.
    #[arg(
        long,
        value_name = "command",
        help = "Run this line with /bin/sh in the container now and then to find out whether its service works"
    )]
    pub health_cmd: Option<String>,
    /// Time between two runs.
    #[arg(
        long,
        value_name = "duration",
        help = "Time between two runs, such as 30s or 1m30s"
    )]
    pub health_interval: Option<String>,
    /// Failures in a row.
    #[arg(
        long,
        value_name = "count",
        help = "Failures in a row that make it unhealthy; 3 when absent"
    )]
    pub health_retries: Option<u32>,
    /// Time between two runs while failures do not count.
    #[arg(
        long,
        value_name = "duration",
        help = "Time between two runs in the start period; 5s when absent"
    )]
    pub health_start_interval: Option<String>,
    /// Time in which failures do not count.
    #[arg(
        long,
        value_name = "duration",
        help = "Time from the start in which failures do not count, until the first success"
    )]
    pub health_start_period: Option<String>,
    /// Limit of a run.
    #[arg(
        long,
        value_name = "duration",
        help = "Time that a run may take; 30s when absent"
    )]
    pub health_timeout: Option<String>,
    /// None at all.
    #[arg(
        long,
        help = "Do not use the image's health check",
        conflicts_with_all = [
            "health_cmd", "health_interval", "health_retries", "health_start_interval", "health_start_period",
            "health_timeout",
        ]
    )]
    pub no_healthcheck: bool,
}
