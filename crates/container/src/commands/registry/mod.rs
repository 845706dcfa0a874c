//! `container registry …`.

pub mod list;
pub mod login;
pub mod logout;
mod prompt;

use clap::Subcommand;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container registry`: registry logins.
#[derive(clap::Args, Debug, Clone)]
pub struct Registry {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<RegistryCommand>,
}

/// Commands of `container registry`.
#[derive(Subcommand, Debug, Clone)]
pub enum RegistryCommand {
    /// Store credentials after checking them.
    Login(Box<login::Login>),
    /// Remove credentials.
    Logout(Box<logout::Logout>),
    /// List stored logins.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
}

impl Registry {
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

impl RegistryCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Login(command) => command.run().await,
            Self::Logout(command) => command.run().await,
            Self::List(command) => command.run().await,
        }
    }
}
