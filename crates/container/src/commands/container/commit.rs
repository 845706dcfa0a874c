//! `container commit`: make an image of what a container has changed of its own. Apple's tool has no such command.

use clap::{ArgAction, Args};
use container_client::api::{ChangesFormat, ChangesOptions};
use container_resource::commit::Commit as Request;
use container_resource::{ProcessConfiguration, Reference};

use super::changes;
use crate::error::{Failure, Outcome};
use crate::output;
use crate::parse::change;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container commit`.
#[derive(Args, Debug, Clone)]
pub struct Commit {
    /// Who made the image.
    #[arg(short = 'a', long, value_name = "author")]
    pub author: Option<String>,
    /// Changes of the configuration.
    #[arg(
        short = 'c',
        long,
        value_name = "instruction",
        help = "Change the image's configuration: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, STOPSIGNAL, USER, \
                VOLUME or WORKDIR, as in a Dockerfile"
    )]
    pub change: Vec<String>,
    /// Why.
    #[arg(
        short = 'm',
        long,
        value_name = "message",
        help = "Say why, in the image's history"
    )]
    pub message: Option<String>,
    /// Whether the processes stand still meanwhile.
    #[arg(
        short = 'p',
        long,
        value_name = "bool",
        help = "Freeze the processes of a running container meanwhile",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true"
    )]
    pub pause: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Container id.
    #[arg(value_name = "container-id")]
    pub container_id: String,
    /// The image.
    #[arg(
        value_name = "image",
        help = "Reference of the new image; without one it is named by its digest"
    )]
    pub image: Option<String>,
}

impl Commit {
    pub(super) async fn run(self) -> Outcome {
        let changes = self
            .change
            .iter()
            .map(|text| change::parse(text))
            .collect::<Result<_, _>>()?;
        let services = Services::from_environment()?;
        let api = services.api().await?;
        let reference = match &self.image {
            None => None,
            Some(text) => {
                let system = services.configuration(&api).await?;
                let reference = Reference::parse_normalized(text, &system.registry.domain)
                    .map_err(|error| Failure::error(error.to_string()))?;
                if reference.digest().is_some() {
                    return Err(Failure::error(format!(
                        "{text}: an image cannot be given a digest"
                    )));
                }
                Some(reference.to_string())
            }
        };
        let container = api.get(&self.container_id).await?.configuration;
        let options = ChangesOptions {
            format: ChangesFormat::Layer,
            freeze: self.pause,
        };
        let layer = changes::read(&api, &self.container_id, options, &services.roots.app).await?;
        let request = Request {
            created_by: command(&container.init_process),
            image: container.image,
            platform: container.platform,
            reference,
            changes,
            author: self.author,
            message: self.message,
        };
        let image = services.images().await?.commit(request, layer.into()).await?;
        output::print_line(image.descriptor.digest().as_ref());
        Ok(0)
    }
}

fn command(process: &ProcessConfiguration) -> String {
    let words = std::iter::once(&process.executable).chain(&process.arguments);
    words.map(String::as_str).collect::<Vec<_>>().join(" ")
}
