//! `container k8s start`: start a stopped cluster.

use clap::Args;

/// Arguments of `container k8s start`.
#[derive(Args, Debug, Clone)]
pub struct Start {
    /// Cluster name.
    #[arg(long, value_name = "name", default_value = "k8s-dev")]
    pub name: String,
}
