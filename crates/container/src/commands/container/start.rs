//! `container start`: start a stopped container.

use std::path::Path;

use clap::Args;
use container_client::api::StopOptions;
use container_client::phases::Stopwatch;
use container_resource::{ContainerState, FilesystemType};

use super::launch::{Launch, report};
use crate::error::{Failure, Outcome};
use crate::process::{self, Attachment};
use crate::progress::Progress;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// Attach stdout/stderr.
    #[arg(short = 'a', long)]
    pub attach: bool,
    /// Attach stdin.
    #[arg(short = 'i', long)]
    pub interactive: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
}

impl Start {
    pub(super) async fn run(self) -> Outcome {
        let api = Services::from_environment()?.api().await?;
        let container = api.get(&self.container_id).await?;
        let attached = self.attach || self.interactive;
        if container.status.state == ContainerState::Paused {
            return Err(Failure::error(format!(
                "container {} is paused",
                self.container_id
            )));
        }
        if container.status.state == ContainerState::Running {
            if attached {
                return Err(Failure::error(
                    "attach is currently unsupported on already running containers",
                ));
            }
            output::print_line(&self.container_id);
            return Ok(0);
        }
        for mount in &container.configuration.mounts {
            if matches!(mount.kind, FilesystemType::Virtiofs {}) && !Path::new(&mount.source).exists() {
                return Err(Failure::error(format!(
                    "mount source path '{}' does not exist",
                    mount.source
                )));
            }
        }
        let attachment = Attachment {
            interactive: self.interactive,
            tty: container.configuration.init_process.terminal,
            detached: !attached,
        };
        process::check(attachment)?;
        let mut progress = Progress::on_terminal(1);
        let mut launch = Launch {
            api: &api,
            id: &self.container_id,
            attachment,
            watch: Stopwatch::default(),
        };
        let session = match launch.start(&mut progress, None).await {
            Ok(session) => session,
            Err(failure) => {
                let options = StopOptions {
                    timeout_in_seconds: Some(0),
                    ..StopOptions::default()
                };
                if let Err(error) = api.stop(&self.container_id, options).await {
                    log::debug("failed to stop container", &[("error", &error.long_form())]);
                }
                return Err(failure);
            }
        };
        let status = match session {
            None => {
                output::print_line(&self.container_id);
                0
            }
            Some(session) => session.without_escape().attend().await?,
        };
        launch.watch.lap("exit");
        report(launch.watch.finish());
        Ok(status)
    }
}
