//! `container system df`: disk usage (behaviour reference, 4 and 23.3).

use clap::Args;
use container_resource::size::file_size;
use container_resource::{DiskUsage, DiskUsageStats};

use crate::error::Outcome;
use crate::output::list::{Row, encode};
use crate::output::{self, json};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container system df`.
#[derive(Args, Debug, Clone)]
pub struct Df {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Df {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let usage = api.system_disk_usage().await?;
        output::print(&text(&usage, self.format));
        Ok(0)
    }
}

fn text(usage: &DiskUsageStats, format: ListFormat) -> String {
    let rows = [
        Kind("Images", usage.images),
        Kind("Containers", usage.containers),
        Kind("Local Volumes", usage.volumes),
    ];
    match format {
        // Unlike lists, this one is pretty.
        ListFormat::Json => json::pretty(usage) + "\n",
        format => encode(usage, &rows, None, format),
    }
}

#[derive(Debug)]
struct Kind(&'static str, DiskUsage);

impl Row for Kind {
    const HEADER: &'static [&'static str] = &["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"];

    fn cells(&self) -> Vec<String> {
        let Self(name, usage) = self;
        let percent = percent(usage.reclaimable, usage.size_in_bytes);
        vec![
            (*name).to_owned(),
            usage.total.to_string(),
            usage.active.to_string(),
            size(usage.size_in_bytes),
            format!("{} ({percent}%)", size(usage.reclaimable)),
        ]
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0 => "0 B".to_owned(),
        bytes => file_size(bytes),
    }
}

/// How much `part` is of `whole`, rounded, at most 100; 0 of nothing.
fn percent(part: u64, whole: u64) -> u128 {
    let (part, whole) = (u128::from(part), u128::from(whole));
    (part * 200 + whole).checked_div(whole * 2).unwrap_or(0).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage() -> DiskUsageStats {
        DiskUsageStats {
            images: DiskUsage {
                total: 4,
                active: 2,
                size_in_bytes: 1_230_000_000,
                reclaimable: 820_000_000,
            },
            containers: DiskUsage {
                total: 2,
                active: 1,
                size_in_bytes: 12_300_000,
                reclaimable: 0,
            },
            volumes: DiskUsage::default(),
        }
    }

    #[test]
    fn table() {
        assert_eq!(
            text(&usage(), ListFormat::Table),
            "TYPE           TOTAL  ACTIVE  SIZE     RECLAIMABLE\n\
             Images         4      2       1.23 GB  820 MB (67%)\n\
             Containers     2      1       12.3 MB  0 B (0%)\n\
             Local Volumes  0      0       0 B      0 B (0%)\n"
        );
    }

    #[test]
    fn json_is_pretty() {
        let text = text(&usage(), ListFormat::Json);
        assert!(text.starts_with("{\n  \"containers\" : {\n    \"active\" : 1,\n    \"reclaimable\" : 0,\n"));
        assert!(text.ends_with("    \"total\" : 0\n  }\n}\n"));
    }

    #[test]
    fn percentages_are_rounded_and_capped() {
        assert_eq!(percent(2, 3), 67);
        assert_eq!(percent(1, 3), 33);
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(5, 0), 0);
        assert_eq!(percent(7, 5), 100);
    }
}
