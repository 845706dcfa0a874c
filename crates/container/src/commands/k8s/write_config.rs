//! `container k8s write-config`: write the kubeconfig of a cluster.

use clap::Args;

/// Arguments of `container k8s write-config`.
#[derive(Args, Debug, Clone)]
pub struct WriteConfig {
    /// Cluster name.
    #[arg(long, value_name = "name", default_value = "k8s-dev")]
    pub name: String,
    /// Target file.
    #[arg(long, value_name = "kubeconfig")]
    pub kubeconfig: Option<String>,
}
