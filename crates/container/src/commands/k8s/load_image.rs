//! `container k8s load-image`: copy a local image into the node.

use clap::Args;

/// Arguments of `container k8s load-image`.
#[derive(Args, Debug, Clone)]
pub struct LoadImage {
    /// Cluster name.
    #[arg(long, value_name = "name", default_value = "k8s-dev")]
    pub name: String,
    /// Platform to copy.
    #[arg(
        long,
        value_name = "platform",
        default_value = "linux/arm64",
        help = "Platform to copy: os/arch[/variant]"
    )]
    pub platform: String,
    /// Image reference.
    #[arg(value_name = "image")]
    pub image: String,
}
