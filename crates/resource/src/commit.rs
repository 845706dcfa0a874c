//! Images that are made of a container's changes. An addition to Apple's tool.

use serde::{Deserialize, Serialize};

use crate::{ImageDescription, Platform};

/// What an image is made of, beside the layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// The image that the layer goes on top of; it need not have a name any more.
    pub image: ImageDescription,
    /// Which variant of it.
    pub platform: Platform,
    /// The new image's normalised reference; absent for one that is named by its digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
    /// What differs from the configuration of the image below, in this order.
    #[serde(default)]
    pub changes: Vec<ConfigurationChange>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
    /// What made the changes: the container's command.
    pub created_by: String,
}

/// A change of an image's configuration (OCI image specification, `config`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConfigurationChange {
    /// The default arguments, or the whole command of an image without an entry point.
    Cmd(Vec<String>),
    /// The program, with its first arguments; takes the default arguments away.
    Entrypoint(Vec<String>),
    /// A variable of the environment.
    Env(String, String),
    /// A port that is listened at, as `<port>/<protocol>`.
    Expose(String),
    /// How containers find out whether their service works, as Docker's `Healthcheck` has it.
    HealthCheck(serde_json::Value),
    /// A label.
    Label(String, String),
    /// The signal that ends containers.
    StopSignal(String),
    /// The user.
    User(String),
    /// A directory that is to be a volume.
    Volume(String),
    /// The working directory.
    Workdir(String),
}
