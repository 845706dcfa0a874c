//! `container top`: print the processes of a container. Apple's tool has no such command.

use clap::Args;
use container_resource::RunningProcess;

use crate::error::Outcome;
use crate::output;
use crate::output::list::Row;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container top`.
#[derive(Args, Debug, Clone)]
pub struct Top {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Top {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let processes = api.processes(&self.container_id).await?;
        output::print(&output::list::encode(&processes, &processes, None, self.format));
        Ok(0)
    }
}

impl Row for RunningProcess {
    const HEADER: &'static [&'static str] = &["PID", "PPID", "UID", "STATE", "TIME", "MEMORY", "COMMAND"];

    fn cells(&self) -> Vec<String> {
        let seconds = self.cpu_usage_usec / 1_000_000;
        // A line break in an argument would break the table.
        let command: String = self
            .command
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        vec![
            self.pid.to_string(),
            self.parent_pid.to_string(),
            self.uid.to_string(),
            self.state.clone(),
            format!("{}:{:02}", seconds / 60, seconds % 60),
            format!("{} KiB", self.memory_bytes >> 10),
            command,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_in_their_line() {
        let process = RunningProcess {
            pid: 7,
            parent_pid: 1,
            uid: 0,
            state: "S".to_owned(),
            cpu_usage_usec: 125_900_000,
            memory_bytes: 812 << 10,
            command: "sh -c a\nb\x1b[2J".to_owned(),
        };
        assert_eq!(
            process.cells(),
            ["7", "1", "0", "S", "2:05", "812 KiB", "sh -c a b [2J"]
        );
    }
}
