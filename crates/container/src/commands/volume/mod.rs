//! `container volume …`.

pub mod create;
pub mod delete;
pub mod inspect;
pub mod list;
pub mod prune;

use clap::Subcommand;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container volume`: volumes.
#[derive(clap::Args, Debug, Clone)]
pub struct Volume {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<VolumeCommand>,
}

/// Commands of `container volume`.
#[derive(Subcommand, Debug, Clone)]
pub enum VolumeCommand {
    /// Create a volume.
    Create(Box<create::Create>),
    /// Delete volumes.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// Print JSON of volumes.
    Inspect(Box<inspect::Inspect>),
    /// List volumes.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Delete unreferenced volumes.
    Prune(Box<prune::Prune>),
}

impl Volume {
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

impl VolumeCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Create(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Inspect(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Prune(command) => command.run().await,
        }
    }
}
