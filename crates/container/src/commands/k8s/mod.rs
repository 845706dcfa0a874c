//! `container k8s …`.

pub mod create;
pub mod delete;
pub mod list;
pub mod load_image;
pub mod start;
pub mod write_config;

use clap::Subcommand;

use crate::error::{Failure, Outcome};

/// `container k8s`: local single-node Kubernetes clusters (experimental CLI plugin).
#[derive(clap::Args, Debug, Clone)]
pub struct K8s {
    /// Show the version.
    #[arg(long)]
    pub version: bool,
    /// The command; without one the help is printed.
    #[command(subcommand)]
    pub command: Option<K8sCommand>,
}

/// Commands of `container k8s`.
#[derive(Subcommand, Debug, Clone)]
pub enum K8sCommand {
    /// Create a cluster.
    Create(Box<create::Create>),
    /// Delete a cluster.
    #[command(visible_alias = "rm")]
    Delete(Box<delete::Delete>),
    /// List clusters.
    #[command(visible_alias = "ls")]
    List(Box<list::List>),
    /// Copy a local image into the node.
    LoadImage(Box<load_image::LoadImage>),
    /// Start a stopped cluster.
    Start(Box<start::Start>),
    /// Write the kubeconfig of a cluster.
    WriteConfig(Box<write_config::WriteConfig>),
}

impl K8s {
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

impl K8sCommand {
    /// Carries the command out.
    ///
    /// # Errors
    /// What the command reports.
    pub async fn run(self) -> Outcome {
        match self {
            Self::Create(_) => Err(Failure::absent("k8s create")),
            Self::Delete(_) => Err(Failure::absent("k8s delete")),
            Self::List(_) => Err(Failure::absent("k8s list")),
            Self::LoadImage(_) => Err(Failure::absent("k8s load-image")),
            Self::Start(_) => Err(Failure::absent("k8s start")),
            Self::WriteConfig(_) => Err(Failure::absent("k8s write-config")),
        }
    }
}
