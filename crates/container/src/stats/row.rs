//! A container's line in the table.

use super::Sample;
use crate::output::list::Row;

/// What stands for a value that could not be read.
const MISSING: &str = "--";

impl Row for Sample {
    const HEADER: &'static [&'static str] = &[
        "Container ID",
        "Cpu %",
        "Memory Usage",
        "Net Rx/Tx",
        "Block I/O",
        "Pids",
    ];

    fn cells(&self) -> Vec<String> {
        let counters = &self.counters;
        let or_missing = |text: Option<String>| text.unwrap_or_else(|| MISSING.to_owned());
        vec![
            counters.id.clone(),
            or_missing(self.cpu.map(|percent| format!("{percent:.2}%"))),
            pair(counters.memory_usage_bytes, counters.memory_limit_bytes),
            pair(counters.network_rx_bytes, counters.network_tx_bytes),
            pair(counters.block_read_bytes, counters.block_write_bytes),
            or_missing(counters.num_processes.map(|count| count.to_string())),
        ]
    }
}

fn pair(first: Option<u64>, second: Option<u64>) -> String {
    match (first, second) {
        (Some(first), Some(second)) => format!("{} / {}", size(first), size(second)),
        _ => MISSING.to_owned(),
    }
}

/// Bytes in binary units, never smaller than KiB and never larger than GiB (behaviour.md 3).
#[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        ..0x10_0000 => (1_u64 << 10, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        _ => (1 << 30, "GiB"),
    };
    format!("{:.2} {name}", bytes as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use container_resource::ContainerStatistics;

    use super::*;

    #[test]
    fn sizes() {
        let cases = [
            (0, "0.00 KiB"),
            (512, "0.50 KiB"),
            ((1 << 20) - 1, "1024.00 KiB"),
            (1 << 20, "1.00 MiB"),
            (1 << 30, "1.00 GiB"),
            (3 << 40, "3072.00 GiB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn cells() {
        let counters = ContainerStatistics {
            id: "web".to_owned(),
            memory_usage_bytes: Some(47_448_064),
            memory_limit_bytes: Some(1 << 30),
            cpu_usage_usec: Some(1),
            network_rx_bytes: Some(1024),
            network_tx_bytes: Some(2048),
            block_read_bytes: Some(0),
            block_write_bytes: None,
            num_processes: Some(3),
            host_memory_bytes: Some(1 << 28),
        };
        let sample = Sample {
            counters,
            cpu: Some(12.345),
        };
        assert_eq!(
            sample.cells(),
            [
                "web",
                "12.35%",
                "45.25 MiB / 1.00 GiB",
                "1.00 KiB / 2.00 KiB",
                "--",
                "3"
            ]
        );
    }

    #[test]
    fn a_container_that_does_not_answer_keeps_its_line() {
        let counters = ContainerStatistics {
            id: "hung".to_owned(),
            ..ContainerStatistics::default()
        };
        let sample = Sample { counters, cpu: None };
        assert_eq!(sample.cells(), ["hung", "--", "--", "--", "--", "--"]);
    }
}
