//! `container builder …`.

pub mod delete;
pub mod start;
pub mod status;
pub mod stop;

use clap::Subcommand;

use crate::error::{Failure, Outcome};

use crate::flags::logging::LoggingFlags;

/// `container builder`: builder VM.
#[derive(clap::Args, Debug, Clone)]
pub struct Builder {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<BuilderCommand>,
}

/// Commands of `container builder`.
#[derive(Subcommand, Debug, Clone)]
pub enum BuilderCommand {
    /// Create/start the builder.
    Start(Box<start::Start>),
    /// Show the builder.
    Status(Box<status::Status>),
    /// Stop the builder.
    Stop(Box<stop::Stop>),
    /// Delete the builder.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
}

impl Builder {
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

impl BuilderCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Start(_) => Err(Failure::absent("builder start")),
            Self::Status(_) => Err(Failure::absent("builder status")),
            Self::Stop(_) => Err(Failure::absent("builder stop")),
            Self::Delete(_) => Err(Failure::absent("builder delete")),
        }
    }
}
