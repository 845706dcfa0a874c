//! Images as users see them.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;
use crate::{Platform, time};

pub use oci_spec::image::{Descriptor, ImageConfiguration};

/// A stored image: its full reference and what the reference points to (an image index).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDescription {
    /// The normalised reference, such as `docker.io/library/alpine:latest`.
    pub reference: String,
    /// The image index.
    pub descriptor: Descriptor,
}

/// An image with its variants (behaviour reference, 5.2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageResource {
    /// Hex digits of the index digest.
    pub id: String,
    /// Name and index.
    pub configuration: ImageResourceConfiguration,
    /// One entry per platform whose manifest is stored.
    pub variants: Vec<ImageVariant>,
}

/// Name, age and index of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageResourceConfiguration {
    /// The reference as displayed.
    pub name: String,
    /// When the earliest variant was made; 1970-01-01 when none says.
    pub creation_date: Timestamp,
    /// The image index.
    pub descriptor: Descriptor,
}

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageVariant {
    /// What it runs on.
    pub platform: Platform,
    /// The manifest's digest.
    pub digest: String,
    /// Bytes of manifest, configuration and layers together.
    pub size: u64,
    /// The OCI image configuration.
    pub config: ImageConfiguration,
}

impl ImageResource {
    /// Puts together what users see of an image.
    pub fn new(name: String, descriptor: Descriptor, variants: Vec<ImageVariant>) -> Self {
        let creation_date = variants
            .iter()
            .filter_map(|variant| variant.config.created().as_deref()?.parse::<Timestamp>().ok())
            .min()
            .map(time::whole_seconds)
            .unwrap_or_default();
        Self {
            id: descriptor.digest().digest().to_owned(),
            configuration: ImageResourceConfiguration {
                name,
                creation_date,
                descriptor,
            },
            variants,
        }
    }
}
