//! `container image save`: save images as an OCI layout tar.

use clap::Args;
use container_client::images::find;
use container_ipc::ErrorCode;

use super::transfer_platform;
use crate::error::{Failure, Outcome};
use crate::output::target::Target;
use crate::progress::Progress;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image save`.
#[derive(Args, Debug, Clone)]
pub struct Save {
    /// Architecture to save.
    #[arg(short = 'a', long, value_name = "arch")]
    pub arch: Option<String>,
    /// Operating system to save.
    #[arg(long, value_name = "os")]
    pub os: Option<String>,
    /// Archive.
    #[arg(short = 'o', long, value_name = "output")]
    pub output: Option<String>,
    /// Platform to save.
    #[arg(long, value_name = "platform", help = "Platform to save: os/arch[/variant]")]
    pub platform: Option<String>,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// Image references.
    #[arg(value_name = "references", required = true)]
    pub references: Vec<String>,
}

impl Save {
    pub(super) async fn run(self) -> Outcome {
        let platform = transfer_platform(self.platform.as_deref(), self.os.as_deref(), self.arch.as_deref())?;
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let stored = images.list().await?;
        let (mut found, mut missing) = (Vec::new(), false);
        for name in &self.references {
            match find(&stored, name, &system.registry.domain) {
                Ok(image) if found.contains(&image) => {}
                Ok(image) => found.push(image),
                Err(error) if error.code == ErrorCode::NotFound => {
                    log::info("failed to save image", &[("error", &error.to_string())]);
                    missing = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if missing {
            return Err(Failure::error("failed to save image(s)"));
        }
        let target = Target::open(self.output.as_deref())?;
        let mut progress = Progress::on_terminal(1);
        progress.step("Saving image(s)");
        images
            .save(found, platform.as_ref(), target.descriptor()?)
            .await?;
        progress.finish();
        let print = match target {
            Target::Standard => output::print_error,
            _ => output::print_line,
        };
        target.keep()?;
        self.references.iter().for_each(|name| print(name));
        Ok(0)
    }
}
