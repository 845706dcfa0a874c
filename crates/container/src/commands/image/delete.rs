//! `container image delete`: delete images.

use clap::Args;
use container_client::images::find;
use container_ipc::ErrorCode;
use container_resource::size::file_size;

use super::stored::{is_infrastructure, visible};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Every (non infrastructure) image.
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Ignore names that do not exist.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "images")]
    pub images: Vec<String>,
}

impl Delete {
    pub(super) async fn run(self) -> Outcome {
        match (self.images.is_empty(), self.all) {
            (true, false) => return Err(Failure::error("no images specified and --all not supplied")),
            (false, true) => {
                return Err(Failure::error(
                    "explicitly supplied images conflict with the --all flag",
                ));
            }
            _ => {}
        }
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        if self.all {
            found = visible(&images, &system).await?;
        }
        let stored = images.list().await?;
        for name in &self.images {
            match find(&stored, name, &system.registry.domain) {
                Ok(image) if is_infrastructure(&image.reference, &system) || found.contains(&image) => {}
                Ok(image) => found.push(image),
                Err(error) if error.code == ErrorCode::NotFound => missing.push(name.clone()),
                Err(error) => return Err(error.into()),
            }
        }
        for image in &found {
            images.delete(&image.reference, false).await?;
            output::print_line(&image.reference);
        }
        if !found.is_empty() {
            let removed = images.clean_up().await?;
            output::print_error(&format!(
                "Reclaimed {} in disk space",
                file_size(removed.image_size)
            ));
        }
        if !missing.is_empty() && !self.force {
            return Err(Failure::error(format!(
                "failed to delete one or more images: {missing:?}"
            )));
        }
        Ok(0)
    }
}
