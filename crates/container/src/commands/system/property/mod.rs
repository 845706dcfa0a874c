//! `container system property …`.

pub mod list;

use clap::Subcommand;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container system property`: system configuration.
#[derive(clap::Args, Debug, Clone)]
pub struct SystemProperty {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<SystemPropertyCommand>,
}

/// Commands of `container system property`.
#[derive(Subcommand, Debug, Clone)]
pub enum SystemPropertyCommand {
    /// Print the effective configuration.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
}

impl SystemProperty {
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

impl SystemPropertyCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::List(command) => command.run().await,
        }
    }
}
