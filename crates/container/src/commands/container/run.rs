//! `container run`: create and start a container.

use clap::Args;
use container_client::phases::Stopwatch;

use super::launch::{Launch, report};
use super::prepare::{Asked, prepare};
use crate::error::Outcome;
use crate::process::{self, Attachment};
use crate::progress::Progress;
use crate::services::Services;
use crate::{log, output};

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::logging::LoggingFlags;
use crate::flags::management::ManagementFlags;
use crate::flags::passthrough::ImageAndArguments;
use crate::flags::process::ProcessFlags;
use crate::flags::progress::ProgressFlags;
use crate::flags::registry::RegistryFlags;
use crate::flags::resource::ResourceFlags;

/// Arguments of `container run`.
#[derive(Args, Debug, Clone)]
pub struct Run {
    /// The process.
    #[command(flatten)]
    pub process: ProcessFlags,
    /// Size of the VM.
    #[command(flatten)]
    pub resource: ResourceFlags,
    /// The container.
    #[command(flatten)]
    pub management: ManagementFlags,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Progress display.
    #[command(flatten)]
    pub progress: ProgressFlags,
    /// Downloading.
    #[command(flatten)]
    pub image_fetch: ImageFetchFlags,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The image, then the words for the process.
    #[command(flatten)]
    pub target: ImageAndArguments,
}

impl Run {
    pub(super) async fn run(self) -> Outcome {
        let attachment = Attachment {
            interactive: self.process.interactive,
            tty: self.process.tty,
            detached: self.management.detach,
        };
        process::check(attachment)?;
        let mut watch = Stopwatch::default();
        let services = Services::from_environment()?;
        let api = services.api().await?;
        let mut progress = Progress::new(self.progress.progress, 6);
        let (image, arguments) = self.target.split();
        let asked = Asked {
            process: &self.process,
            resource: &self.resource,
            management: &self.management,
            registry: &self.registry,
            image_fetch: &self.image_fetch,
            image: &image,
            arguments,
        };
        let request = prepare(&services, &api, asked, &progress).await?;
        watch.lap("resolve");
        let id = request.configuration.id.clone();
        let mut launch = Launch {
            api: &api,
            id: &id,
            attachment,
            watch,
        };
        launch.created(api.create(request).await?);
        let started = launch
            .start(&mut progress, self.management.cidfile.as_deref())
            .await;
        let session = match started {
            Ok(session) => session,
            Err(failure) => {
                // What could not be started is of no use; why it could not is what the user has to know.
                if let Err(error) = api.delete(&id, true).await {
                    log::debug(
                        "failed to delete container",
                        &[("id", &id), ("error", &error.long_form())],
                    );
                }
                return Err(failure);
            }
        };
        let status = match session {
            None => {
                output::print_line(&id);
                0
            }
            Some(session) => session.attend().await?,
        };
        launch.watch.lap("exit");
        report(launch.watch.finish());
        Ok(status)
    }
}
