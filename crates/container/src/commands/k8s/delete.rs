//! `container k8s delete`: delete a cluster.

use clap::Args;

/// Arguments of `container k8s delete`.
#[derive(Args, Debug, Clone)]
pub struct Delete {
    /// Cluster name.
    #[arg(long, value_name = "name", default_value = "k8s-dev")]
    pub name: String,
}
