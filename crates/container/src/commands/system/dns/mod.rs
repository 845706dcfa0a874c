//! `container system dns …`.

pub mod create;
pub mod delete;
mod domain;
#[cfg(any(target_os = "macos", test))]
mod host;
#[cfg(not(target_os = "macos"))]
mod linux;
pub mod list;
#[cfg(target_os = "macos")]
mod macos;

use clap::Subcommand;
#[cfg(not(target_os = "macos"))]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container system dns`: local DNS domains.
#[derive(clap::Args, Debug, Clone)]
pub struct SystemDns {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<SystemDnsCommand>,
}

/// Commands of `container system dns`.
#[derive(Subcommand, Debug, Clone)]
pub enum SystemDnsCommand {
    /// Create a resolver domain (root).
    Create(Box<create::Create>),
    /// Delete a resolver domain (root).
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// List resolver domains.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
}

impl SystemDns {
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

impl SystemDnsCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Create(command) => command.run(),
            Self::Delete(command) => command.run(),
            Self::List(command) => command.run(),
        }
    }
}
