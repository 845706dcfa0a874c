//! The commands, one file each, grouped by noun.

pub mod build;
pub mod builder;
pub mod container;
pub mod help;
pub mod image;
pub mod k8s;
pub mod machine;
pub mod network;
mod plugin;
pub mod registry;
pub mod system;
pub mod volume;

use crate::Context;
use crate::cli::Command;
use crate::error::{Failure, Outcome};

impl Command {
    /// A group without a command after it: its help is wanted.
    pub fn is_bare_group(&self) -> bool {
        match self {
            Self::Image(group) => group.is_bare(),
            Self::Registry(group) => group.is_bare(),
            Self::Machine(group) => group.is_bare(),
            Self::Volume(group) => group.is_bare(),
            Self::Builder(group) => group.is_bare(),
            Self::Network(group) => group.is_bare(),
            Self::System(group) => group.is_bare(),
            Self::K8s(group) => group.is_bare(),
            Self::Help(_) | Self::Container(_) | Self::Build(_) | Self::Plugin(_) => false,
        }
    }
}

/// Carries out a command.
///
/// # Errors
/// What the command reports.
pub async fn dispatch(command: Command, context: &Context) -> Outcome {
    match command {
        // The help is printed before a command is carried out.
        Command::Help(_) => Ok(0),
        Command::Container(command) => command.run().await,
        Command::Build(_) => Err(Failure::absent("build")),
        Command::Image(group) => group.run().await,
        Command::Registry(group) => group.run().await,
        Command::Machine(group) => group.run().await,
        Command::Volume(group) => group.run().await,
        Command::Builder(group) => group.run().await,
        Command::Network(group) => group.run().await,
        Command::System(group) => group.run(context).await,
        Command::K8s(group) => group.run().await,
        Command::Plugin(words) => plugin::exec(&words),
    }
}
