//! Resource usage of containers, sampled over and over (behaviour.md 14.4).

mod live;
mod row;
mod sampler;
mod screen;

pub use live::{stream, watch};
pub use sampler::{INTERVAL, Sampler};

use std::time::Duration;

use container_resource::ContainerStatistics;

/// What is known about one container at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The counters; nothing but the id when the container did not answer.
    pub counters: ContainerStatistics,
    /// Share of one processor in percent since the sample before; absent without one.
    pub cpu: Option<f64>,
}

/// Percentage of one processor that `used` microseconds of its time within `interval` are.
#[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn cpu_percent(used: u64, interval: Duration) -> Option<f64> {
    let elapsed = interval.as_micros();
    (elapsed > 0).then(|| used as f64 / elapsed as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_busy_processor_is_a_hundred_percent() {
        assert_eq!(cpu_percent(2_500_000, Duration::from_millis(2500)), Some(100.0));
        assert_eq!(cpu_percent(500_000, Duration::from_secs(2)), Some(25.0));
        assert_eq!(cpu_percent(1, Duration::ZERO), None);
    }
}
