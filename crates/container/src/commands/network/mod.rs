//! `container network …`.

pub mod create;
pub mod delete;
pub mod inspect;
pub mod list;
pub mod prune;

use clap::Subcommand;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container network`: networks.
#[derive(clap::Args, Debug, Clone)]
pub struct Network {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<NetworkCommand>,
}

/// Commands of `container network`.
#[derive(Subcommand, Debug, Clone)]
pub enum NetworkCommand {
    /// Create a network.
    Create(Box<create::Create>),
    /// Delete networks.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// Print JSON of networks.
    Inspect(Box<inspect::Inspect>),
    /// List networks.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Delete unreferenced networks.
    Prune(Box<prune::Prune>),
}

impl Network {
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

impl NetworkCommand {
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
