//! `container image list`: list images.

use clap::Args;
use container_resource::ImageDescription;
use container_resource::reference::displayed;

use super::stored::{Line, PlatformLine, resources, visible};
use crate::error::{Failure, Outcome};
use crate::output;
use crate::output::list::encode;
use crate::services::Services;

use crate::flags::logging::LoggingFlags;
use crate::flags::values::ListFormat;

/// Arguments of `container image list`.
#[derive(Args, Debug, Clone)]
pub struct List {
    /// Output format.
    #[arg(long, value_name = "format", default_value = "table")]
    pub format: ListFormat,
    /// Reference only.
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// One row per platform with sizes.
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl List {
    pub(super) async fn run(self) -> Outcome {
        if self.quiet && self.verbose {
            return Err(Failure::error("cannot use flag --quiet and --verbose together"));
        }
        let services = Services::from_environment()?;
        let system = services.configuration(&services.api().await?).await?;
        let images = services.images().await?;
        let stored = visible(&images, &system).await?;
        if self.format == ListFormat::Table && !self.verbose {
            let line = |image: &ImageDescription| Line {
                name: displayed(&image.reference, &system.registry.domain),
                digest: image.descriptor.digest().to_string(),
            };
            let lines: Vec<Line> = stored.iter().map(line).collect();
            let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
            let names = self.quiet.then_some(names.as_slice());
            output::print(&encode(&stored, &lines, names, self.format));
            return Ok(0);
        }
        let resources = resources(&images, stored, &system).await?;
        let lines: Vec<PlatformLine> = resources.iter().flat_map(PlatformLine::of).collect();
        output::print(&encode(&resources, &lines, None, self.format));
        Ok(0)
    }
}
