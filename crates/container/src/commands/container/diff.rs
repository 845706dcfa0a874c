//! `container diff`: print what a container has changed of its image. Apple's tool has no such command.

use std::io::{self, Read, Write};

use clap::Args;
use container_client::api::{ChangesFormat, ChangesOptions};

use super::changes;
use crate::error::{Failure, Outcome};
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container diff`.
#[derive(Args, Debug, Clone)]
pub struct Diff {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Diff {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let api = services.api().await?;
        let options = ChangesOptions {
            format: ChangesFormat::List,
            freeze: false,
        };
        let mut file = changes::read(&api, &self.container_id, options, &services.roots.app).await?;
        let mut list = Vec::new();
        file.read_to_end(&mut list)
            .map_err(|error| Failure::error(format!("failed to read the changes: {error}")))?;
        let printed = io::stdout().write_all(&lines(&list));
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::error(format!("failed to write: {error}")))
            }
            _ => Ok(0),
        }
    }
}

/// The records as lines, in the order of their paths.
fn lines(list: &[u8]) -> Vec<u8> {
    let mut records: Vec<&[u8]> = list
        .split(|byte| *byte == 0)
        .filter(|record| record.len() > 2)
        .collect();
    records.sort_by_key(|record| &record[2..]);
    records
        .iter()
        .flat_map(|record| [record, b"\n".as_slice()].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_in_the_order_of_paths() {
        assert_eq!(
            lines(b"C /b\0D /a-c\0A /a/b\0A /a\0"),
            b"A /a\nD /a-c\nA /a/b\nC /b\n"
        );
        assert_eq!(lines(b""), b"");
    }
}
