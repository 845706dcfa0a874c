//! `container system …`.

mod apiserver;
pub mod df;
pub mod dns;
pub mod kernel;
#[cfg(target_os = "linux")]
mod linux;
pub mod logs;
#[cfg(target_os = "macos")]
mod macos;
pub mod property;
pub mod start;
pub mod status;
pub mod stop;
pub mod version;

use clap::Subcommand;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "macos")]
use macos as platform;

use crate::Context;
use crate::error::Outcome;

use crate::flags::logging::LoggingFlags;

/// `container system`: service management.
#[derive(clap::Args, Debug, Clone)]
pub struct System {
    /// Logging.
    #[command(flatten)]
    pub logging: LoggingFlags,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<SystemCommand>,
}

/// Commands of `container system`.
#[derive(Subcommand, Debug, Clone)]
pub enum SystemCommand {
    /// Disk usage.
    Df(Box<df::Df>),
    /// Local DNS domains.
    Dns(dns::SystemDns),
    /// Kernel management.
    Kernel(kernel::SystemKernel),
    /// Service log.
    Logs(Box<logs::Logs>),
    /// System configuration.
    Property(property::SystemProperty),
    /// Register and start the services.
    Start(Box<start::Start>),
    /// Service status.
    Status(Box<status::Status>),
    /// Stop and deregister the services.
    Stop(Box<stop::Stop>),
    /// Versions of CLI and API server.
    Version(Box<version::Version>),
}

impl System {
    /// No command follows the word: the help is wanted.
    pub fn is_bare(&self) -> bool {
        match &self.command {
            None => true,
            Some(SystemCommand::Dns(group)) => group.is_bare(),
            Some(SystemCommand::Kernel(group)) => group.is_bare(),
            Some(SystemCommand::Property(group)) => group.is_bare(),
            Some(_) => false,
        }
    }

    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self, context: &Context) -> Outcome {
        match self.command {
            Some(command) => command.run(context).await,
            None => Ok(0),
        }
    }
}

impl SystemCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self, context: &Context) -> Outcome {
        match self {
            Self::Df(command) => command.run().await,
            Self::Dns(group) => group.run().await,
            Self::Kernel(group) => group.run().await,
            Self::Logs(command) => command.run(context).await,
            Self::Property(group) => group.run().await,
            Self::Start(command) => command.run(context).await,
            Self::Status(command) => command.run().await,
            Self::Stop(command) => command.run().await,
            Self::Version(command) => command.run().await,
        }
    }
}
