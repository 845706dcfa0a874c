//! `container volume delete`: delete volumes.

use clap::Args;

use crate::error::{Failure, Outcome};
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container volume delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every volume.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Names.
    #[arg(value_name = "names")]
    pub names: Vec<String>,
}

impl Delete {
    pub(super) async fn run(mut self) -> Outcome {
        match (self.names.is_empty(), self.all) {
            (true, false) => return Err(Failure::error("no volumes specified and --all not supplied")),
            (false, true) => {
                return Err(Failure::error(
                    "explicitly supplied volume name(s) conflict with the --all flag",
                ));
            }
            _ => {}
        }
        let api = Services::from_environment()?.api().await?;
        let known: Vec<String> = api.volumes().await?.into_iter().map(|volume| volume.id).collect();
        let missing: Vec<_> = self.names.iter().filter(|name| !known.contains(name)).collect();
        if !missing.is_empty() {
            return Err(Failure::error(format!(
                "failed to delete one or more volumes: {missing:?}"
            )));
        }
        if self.all {
            self.names = known;
        }
        let mut failed = Vec::new();
        for name in self.names {
            match api.delete_volume(&name).await {
                Ok(()) => output::print_line(&name),
                Err(error) => {
                    let details = [("id", name.as_str()), ("error", &error.to_string())];
                    log::info("failed to delete volume", &details);
                    failed.push(name);
                }
            }
        }
        if failed.is_empty() {
            return Ok(0);
        }
        Err(Failure::error(format!(
            "delete failed for one or more volumes: {failed:?}"
        )))
    }
}
