//! Whether the service in a container works, found out by a command that runs in it now and then. An addition to Apple's
//! tool.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How it is found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// The program and its arguments; its exit code 0 says that all is well.
    pub command: Vec<String>,
    /// Milliseconds from the end of one run to the next.
    pub interval_in_milliseconds: u64,
    /// Milliseconds that a run may take.
    pub timeout_in_milliseconds: u64,
    /// Milliseconds from the container's start in which failures do not count, until the first success.
    pub start_period_in_milliseconds: u64,
    /// Milliseconds between two runs in that time.
    pub start_interval_in_milliseconds: u64,
    /// So many failures in a row mean that something is wrong.
    pub retries: u32,
}

/// What has been found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// What it comes to.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: u32,
    /// The last runs, the latest one last.
    pub log: Vec<HealthProbe>,
}

/// What the runs of a health check come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// It is not known yet.
    Starting,
    /// The last run succeeded, or there were not enough failures since.
    Healthy,
    /// There were as many failures in a row as the check allows.
    Unhealthy,
}

impl HealthStatus {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthProbe {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// Its exit code; -1 when it could not be started or did not end in time.
    pub exit_code: i32,
    /// The beginning of what it wrote, or why there is nothing.
    pub output: String,
}

impl Health {
    /// How many runs are remembered.
    pub const KEPT: usize = 5;

    /// Takes one more run into account; `starting` tells whether the start period lasts.
    pub fn record(&mut self, check: &HealthCheck, probe: HealthProbe, starting: bool) {
        if probe.exit_code == 0 {
            self.failing_streak = 0;
            self.status = HealthStatus::Healthy;
        } else if !(starting && self.status == HealthStatus::Starting) {
            self.failing_streak += 1;
            if self.failing_streak >= check.retries {
                self.status = HealthStatus::Unhealthy;
            }
        }
        if self.log.len() == Self::KEPT {
            self.log.remove(0);
        }
        self.log.push(probe);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self {
            status: HealthStatus::Starting,
            failing_streak: 0,
            log: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_after_the_start_period_and_in_a_row() {
        let check = HealthCheck {
            command: vec!["x".to_owned()],
            interval_in_milliseconds: 1,
            timeout_in_milliseconds: 1,
            start_period_in_milliseconds: 1,
            start_interval_in_milliseconds: 1,
            retries: 2,
        };
        let mut health = Health::default();
        let mut record = |exit_code, starting| {
            let probe = HealthProbe {
                start: Timestamp::UNIX_EPOCH,
                end: Timestamp::UNIX_EPOCH,
                exit_code,
                output: String::new(),
            };
            health.record(&check, probe, starting);
            (health.status, health.failing_streak, health.log.len())
        };
        use HealthStatus::{Healthy, Starting, Unhealthy};
        assert_eq!(record(1, true), (Starting, 0, 1));
        assert_eq!(record(1, false), (Starting, 1, 2));
        assert_eq!(record(0, false), (Healthy, 0, 3));
        assert_eq!(
            record(1, true),
            (Healthy, 1, 4),
            "the start is over with a success"
        );
        assert_eq!(record(-1, true), (Unhealthy, 2, 5));
        assert_eq!(record(0, false), (Healthy, 0, 5));
    }
}
