//! `container image load`: load images from an OCI layout tar.

use std::io;
use std::path::{Path, absolute};

use clap::Args;
use tempfile::NamedTempFile;

use crate::error::{Failure, Outcome};
use crate::progress::Progress;
use crate::services::Services;
use crate::{log, output};

use crate::flags::logging::LoggingFlags;

/// Arguments of `container image load`.
#[derive(Args, Debug, Clone)]
pub struct Load {
    /// Archive.
    #[arg(short = 'i', long, value_name = "input")]
    pub input: Option<String>,
    /// Continue when the archive holds rejected members.
    #[arg(short = 'f', long)]
    pub force: bool,
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
}

impl Load {
    pub(super) async fn run(self) -> Outcome {
        let spooled;
        let path = match &self.input {
            Some(path) => {
                let path = absolute(Path::new(path)).map_err(|error| Failure::error(error.to_string()))?;
                if !path.exists() {
                    log::info("file does not exist", &[("path", &path.display().to_string())]);
                    return Err(Failure::Silent(1));
                }
                path
            }
            None => {
                spooled = spool()?;
                spooled.path().to_owned()
            }
        };
        let images = Services::from_environment()?.images().await?;
        let mut progress = Progress::on_terminal(2);
        progress.step("Loading tar archive");
        let loaded = images.load(&path, self.force).await?;
        for member in &loaded.rejected_members {
            log::info("rejected archive member", &[("path", member)]);
        }
        progress.step("Unpacking image");
        for image in &loaded.image_descriptions {
            images.unpack(image, None, progress.sender()).await?;
        }
        progress.finish();
        for image in &loaded.image_descriptions {
            output::print_line(&image.reference);
        }
        Ok(0)
    }
}

/// Standard input as a file, which is what the image service reads.
fn spool() -> Result<NamedTempFile, Failure> {
    let spool = || {
        let mut file = NamedTempFile::with_prefix("container-image-")?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(file)
    };
    spool().map_err(|error: io::Error| Failure::error(format!("unable to create temporary file: {error}")))
}
