//! Images as users see them.

use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

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
    #[serde(serialize_with = "in_order")]
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
    #[serde(serialize_with = "in_order")]
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

/// Members of OCI documents that are maps, whose type here keeps no order.
const MAPS: [&str; 4] = ["annotations", "ExposedPorts", "Labels", "Volumes"];

/// Writes a document with its maps in alphabetical order, so that the same image always looks the same.
fn in_order<T: Serialize, S: Serializer>(document: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(document).map_err(S::Error::custom)?;
    sort_maps(&mut value);
    value.serialize(serializer)
}

fn sort_maps(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    for (name, value) in fields {
        match value {
            Value::Object(map) if MAPS.contains(&name.as_str()) => map.sort_keys(),
            value => sort_maps(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_in_order_and_fields_are_not_touched() {
        let mut value: Value = serde_json::from_str(
            r#"{"os":"linux","config":{"Labels":{"b":"","a":""},"Cmd":["x"]},"author":"me"}"#,
        )
        .unwrap();
        sort_maps(&mut value);
        assert_eq!(
            value.to_string(),
            r#"{"os":"linux","config":{"Labels":{"a":"","b":""},"Cmd":["x"]},"author":"me"}"#
        );
    }
}
