//! `container image …`.

pub mod delete;
pub mod inspect;
pub mod list;
pub mod load;
pub mod prune;
pub mod pull;
pub mod push;
pub mod save;
mod stored;
pub mod tag;

use clap::Subcommand;

use container_resource::Platform;

use crate::error::{Failure, Outcome};
use crate::log;
use crate::parse::platform;

use crate::flags::logging::LoggingFlags;

/// `container image`: image operations.
#[derive(clap::Args, Debug, Clone)]
pub struct Image {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<ImageCommand>,
}

/// Commands of `container image`.
#[derive(Subcommand, Debug, Clone)]
pub enum ImageCommand {
    /// Delete images.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// Print full JSON of images.
    Inspect(Box<inspect::Inspect>),
    /// List images.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Load images from an OCI layout tar.
    Load(Box<load::Load>),
    /// Remove dangling images.
    Prune(Box<prune::Prune>),
    /// Pull an image.
    Pull(Box<pull::Pull>),
    /// Push an image.
    Push(Box<push::Push>),
    /// Save images as an OCI layout tar.
    Save(Box<save::Save>),
    /// Add a reference to an image.
    Tag(Box<tag::Tag>),
}

impl Image {
    /// No command follows the word: the help is wanted.
    pub fn is_bare(&self) -> bool {
        self.command.is_none()
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self.command {
            Some(command) => command.run().await,
            None => Ok(0),
        }
    }
}

impl ImageCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Delete(command) => command.run().await,
            Self::Inspect(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Load(command) => command.run().await,
            Self::Prune(command) => command.run().await,
            Self::Pull(command) => command.run().await,
            Self::Push(command) => command.run().await,
            Self::Save(command) => command.run().await,
            Self::Tag(command) => command.run().await,
        }
    }
}

/// The platform that a transfer is limited to; one that comes from the environment is worth a note.
fn transfer_platform(
    platform: Option<&str>,
    os: Option<&str>,
    arch: Option<&str>,
) -> Result<Option<Platform>, Failure> {
    let variable = std::env::var(platform::VARIABLE).ok();
    let chosen = platform::for_transfer(platform, os, arch, variable.as_deref())?;
    if let Some(chosen) = chosen.as_ref().filter(|chosen| chosen.from_environment) {
        let text = chosen.platform.to_string();
        log::info("using platform from environment variable", &[("platform", &text)]);
    }
    Ok(chosen.map(|chosen| chosen.platform))
}
