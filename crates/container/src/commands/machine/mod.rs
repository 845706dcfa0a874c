//! `container machine …`.

pub mod create;
pub mod delete;
pub mod inspect;
pub mod list;
pub mod logs;
pub mod run;
pub mod set;
pub mod set_default;
pub mod stop;

use clap::Subcommand;

use crate::error::{Failure, Outcome};

use crate::flags::logging::LoggingFlags;

/// `container machine`: long-lived Linux VMs that follow the macOS user.
#[derive(clap::Args, Debug, Clone)]
pub struct Machine {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<MachineCommand>,
}

/// Commands of `container machine`.
#[derive(Subcommand, Debug, Clone)]
pub enum MachineCommand {
    /// Create (and boot) a machine from an image.
    Create(Box<create::Create>),
    /// Delete a machine.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// Print JSON of one machine.
    Inspect(Box<inspect::Inspect>),
    /// List machines.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Stdio or boot log.
    Logs(Box<logs::Logs>),
    /// Run a command or login shell in a machine (boots it when stopped).
    Run(Box<run::Run>),
    /// Change boot settings.
    Set(Box<set::Set>),
    /// Choose the default machine.
    SetDefault(Box<set_default::SetDefault>),
    /// Stop a machine.
    Stop(Box<stop::Stop>),
}

impl Machine {
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

impl MachineCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Create(_) => Err(Failure::absent("machine create")),
            Self::Delete(_) => Err(Failure::absent("machine delete")),
            Self::Inspect(_) => Err(Failure::absent("machine inspect")),
            Self::List(_) => Err(Failure::absent("machine list")),
            Self::Logs(_) => Err(Failure::absent("machine logs")),
            Self::Run(_) => Err(Failure::absent("machine run")),
            Self::Set(_) => Err(Failure::absent("machine set")),
            Self::SetDefault(_) => Err(Failure::absent("machine set-default")),
            Self::Stop(_) => Err(Failure::absent("machine stop")),
        }
    }
}
