//! `container system kernel …`.

pub mod set;

use clap::Subcommand;

use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container system kernel`: kernel management.
#[derive(clap::Args, Debug, Clone)]
pub struct SystemKernel {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<SystemKernelCommand>,
}

/// Commands of `container system kernel`.
#[derive(Subcommand, Debug, Clone)]
pub enum SystemKernelCommand {
    /// Install a default kernel.
    Set(Box<set::Set>),
}

impl SystemKernel {
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

impl SystemKernelCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Set(command) => command.run().await,
        }
    }
}
