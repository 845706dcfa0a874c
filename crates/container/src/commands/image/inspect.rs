//! `container image inspect`: print full JSON of images.

use clap::Args;
use container_client::images::find;
use container_ipc::ErrorCode;

use super::stored::{is_infrastructure, resources};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image inspect`.
#[derive(Args, Debug, Clone)]
pub struct Inspect {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "images", required = true)]
    pub images: Vec<String>,
}

impl Inspect {
    pub(super) async fn run(self) -> Outcome {
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let stored = images.list().await?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for name in &self.images {
            match find(&stored, name, &system.registry.domain) {
                Ok(image) if is_infrastructure(&image.reference, &system) || found.contains(&image) => {}
                Ok(image) => found.push(image),
                Err(error) if error.code == ErrorCode::NotFound => missing.push(name.as_str()),
                Err(error) => return Err(error.into()),
            }
        }
        if !missing.is_empty() {
            return Err(Failure::error(format!("image not found: {}", missing.join(", "))));
        }
        let resources = resources(&images, found, &system).await?;
        output::print_line(&output::json::pretty(&resources));
        Ok(0)
    }
}
