//! `container k8s create`: create a cluster.

use clap::Args;

use crate::flags::image_fetch::ImageFetchFlags;
use crate::flags::registry::RegistryFlags;
use crate::flags::resource::ResourceFlags;

/// Node image that the plugin is tested with.
const NODE_IMAGE: &str =
    "docker.io/kindest/node:v1.35.5@sha256:ce977ae6d65918d0b58a5f8b5e940429c2ce42fa3a5619ec2bbc60b949c0ac95";

/// Arguments of `container k8s create`.
#[derive(Args, Debug, Clone)]
pub struct Create {
    /// Cluster name.
    #[arg(long, value_name = "name", default_value = "k8s-dev")]
    pub name: String,
    /// Delete the node container when it stops.
    #[arg(long, visible_alias = "remove")]
    pub rm: bool,
    /// Node image.
    #[arg(long, value_name = "node-image", default_value = NODE_IMAGE)]
    pub node_image: String,
    /// Size of the VM.
    #[command(flatten)]
    pub resource: ResourceFlags,
    /// How to reach the registry.
    #[command(flatten)]
    pub registry: RegistryFlags,
    /// Downloading.
    #[command(flatten)]
    pub image_fetch: ImageFetchFlags,
}
