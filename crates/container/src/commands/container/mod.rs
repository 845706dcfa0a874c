//! Commands about containers.

pub mod attach;
mod changes;
pub mod commit;
mod configuration;
pub mod copy;
pub mod create;
pub mod delete;
pub mod diff;
pub mod events;
pub mod exec;
pub mod export;
pub mod inspect;
pub mod kill;
mod launch;
pub mod list;
pub mod logs;
mod mounts;
pub mod pause;
pub mod port;
mod prepare;
pub mod prune;
pub mod rename;
pub mod restart;
mod rosetta;
pub mod run;
pub mod start;
pub mod stats;
pub mod stop;
mod targets;
pub mod top;
pub mod update;
pub mod wait;

use clap::Subcommand;

use crate::error::Outcome;

/// Commands about containers.
#[derive(Subcommand, Debug, Clone)]
pub enum ContainerCommand {
    /// Copy a file or directory between host and a container, running or not.
    #[command(visible_alias = "cp")]
    Copy(Box<copy::Copy>),
    /// Create a container without starting it.
    Create(Box<create::Create>),
    /// Delete containers.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// Run an additional process in a running container.
    Exec(Box<exec::Exec>),
    /// Write the root filesystem of a container as a tar.
    Export(Box<export::Export>),
    /// Print full JSON of containers.
    Inspect(Box<inspect::Inspect>),
    /// Send a signal to running containers.
    Kill(Box<kill::Kill>),
    /// List containers.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Print container output or boot log.
    Logs(Box<logs::Logs>),
    /// Create and start a container.
    Run(Box<run::Run>),
    /// Start a stopped container.
    Start(Box<start::Start>),
    /// Resource usage of containers.
    Stats(Box<stats::Stats>),
    /// Stop running containers.
    Stop(Box<stop::Stop>),
    /// Delete all stopped containers.
    Prune(Box<prune::Prune>),
    /// Take part in the process of a running container, and end with it.
    Attach(Box<attach::Attach>),
    /// Make an image of what a container has changed of its own.
    Commit(Box<commit::Commit>),
    /// Print what a container has changed of its image.
    Diff(Box<diff::Diff>),
    /// Print what happens to containers.
    Events(Box<events::Events>),
    /// Freeze the processes of containers.
    Pause(Box<pause::Pause>),
    /// Print where ports of a container are reachable.
    Port(Box<port::Port>),
    /// Give a stopped container another id.
    Rename(Box<rename::Rename>),
    /// Stop containers and start them again.
    Restart(Box<restart::Restart>),
    /// Print the processes of a container.
    Top(Box<top::Top>),
    /// Let the processes of paused containers go on.
    Unpause(Box<pause::Pause>),
    /// Change labels and restart policy of containers.
    Update(Box<update::Update>),
    /// Wait for containers to end and print their exit codes.
    Wait(Box<wait::Wait>),
}

impl ContainerCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Copy(command) => command.run().await,
            Self::Create(command) => command.run().await,
            Self::Delete(command) => command.run().await,
            Self::Exec(command) => command.run().await,
            Self::Export(command) => command.run().await,
            Self::Inspect(command) => command.run().await,
            Self::Kill(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Logs(command) => command.run().await,
            Self::Run(command) => command.run().await,
            Self::Start(command) => command.run().await,
            Self::Stats(command) => command.run().await,
            Self::Stop(command) => command.run().await,
            Self::Prune(command) => command.run().await,
            Self::Attach(command) => command.run().await,
            Self::Commit(command) => command.run().await,
            Self::Diff(command) => command.run().await,
            Self::Events(command) => command.run().await,
            Self::Pause(command) => command.run(true).await,
            Self::Port(command) => command.run().await,
            Self::Rename(command) => command.run().await,
            Self::Restart(command) => command.run().await,
            Self::Top(command) => command.run().await,
            Self::Unpause(command) => command.run(false).await,
            Self::Update(command) => command.run().await,
            Self::Wait(command) => command.run().await,
        }
    }
}
