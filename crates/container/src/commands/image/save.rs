//! `container image save`: save images as an OCI layout tar.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use clap::Args;
use container_client::images::find;
use container_ipc::ErrorCode;
use tempfile::NamedTempFile;

use super::transfer_platform;
use crate::error::{Failure, Outcome};
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

/// Where the archive goes.
enum Target<'a> {
    /// Standard output.
    Standard,
    /// A device, a pipe, or anything else that cannot be replaced.
    Special(File),
    /// A file, which appears under its name when it is complete.
    File(NamedTempFile, &'a Path),
}

impl<'a> Target<'a> {
    fn open(path: Option<&'a str>) -> Result<Self, Failure> {
        let Some(path) = path.map(Path::new) else {
            return Ok(Self::Standard);
        };
        let opened = match path.metadata() {
            Ok(metadata) if !metadata.is_file() => File::options().write(true).open(path).map(Self::Special),
            _ => temporary(path).map(|file| Self::File(file, path)),
        };
        opened.map_err(|error| failure(path, &error))
    }

    fn descriptor(&self) -> Result<OwnedFd, Failure> {
        let descriptor = match self {
            Self::Standard => io::stdout().as_fd().try_clone_to_owned(),
            Self::Special(file) => file.as_fd().try_clone_to_owned(),
            Self::File(file, _) => file.as_file().as_fd().try_clone_to_owned(),
        };
        descriptor.map_err(|error| Failure::error(error.to_string()))
    }

    fn keep(self) -> Result<(), Failure> {
        match self {
            Self::File(file, path) => file
                .persist(path)
                .map(drop)
                .map_err(|error| failure(path, &error.error)),
            Self::Standard | Self::Special(_) => Ok(()),
        }
    }
}

/// A file beside `path`, with the mode that a new file gets.
fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;

    let directory = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".container-image-")
        .permissions(std::fs::Permissions::from_mode(0o666))
        .tempfile_in(directory.unwrap_or(Path::new(".")))
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure::error(format!("failed to write {}: {error}", path.display()))
}
