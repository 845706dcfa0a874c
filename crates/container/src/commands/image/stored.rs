//! Stored images as commands show them (behaviour.md 4, 19).

use container_client::ImagesClient;
use container_config::SystemConfiguration;
use container_ipc::Error;
use container_resource::image::ImageVariant;
use container_resource::reference::{Reference, displayed};
use container_resource::{ImageDescription, ImageResource};

use crate::output::list::Row;

/// Digits of a digest that tables show.
const DIGITS: usize = 12;

/// Every stored image except the system's own: the builder's image and the init image.
pub(super) async fn visible(
    images: &ImagesClient,
    system: &SystemConfiguration,
) -> Result<Vec<ImageDescription>, Error> {
    let mut stored = images.list().await?;
    stored.retain(|image| !is_infrastructure(&image.reference, system));
    Ok(stored)
}

/// Whether an image is the system's own.
pub(super) fn is_infrastructure(reference: &str, system: &SystemConfiguration) -> bool {
    reference == system.build.image || reference == system.vminit.image
}

/// What users see of images, with short names.
pub(super) async fn resources(
    images: &ImagesClient,
    stored: Vec<ImageDescription>,
    system: &SystemConfiguration,
) -> Result<Vec<ImageResource>, Error> {
    let mut resources = images.inspect(stored).await?;
    for resource in &mut resources {
        let name = &mut resource.configuration.name;
        *name = displayed(name, &system.registry.domain);
    }
    Ok(resources)
}

/// Name and tag of a short reference.
fn name_and_tag(shown: &str) -> (String, String) {
    let none = || "<none>".to_owned();
    match shown.parse::<Reference>() {
        Ok(reference) => (reference.name(), reference.tag().map_or_else(none, str::to_owned)),
        Err(_) => (shown.split('@').next().unwrap_or(shown).to_owned(), none()),
    }
}

/// The digits of a digest, without its algorithm.
pub(super) fn hex(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, hex)| hex)
}

/// The first digits of a digest, without its algorithm.
fn short(digest: &str) -> String {
    hex(digest).chars().take(DIGITS).collect()
}

/// A line of `image list`.
#[derive(Debug)]
pub(super) struct Line {
    /// The short reference.
    pub(super) name: String,
    /// The index's digest.
    pub(super) digest: String,
}

impl Row for Line {
    const HEADER: &'static [&'static str] = &["NAME", "TAG", "DIGEST"];

    fn cells(&self) -> Vec<String> {
        let (name, tag) = name_and_tag(&self.name);
        vec![name, tag, short(&self.digest)]
    }
}

/// A line of `image list --verbose`: an image for one platform.
#[derive(Debug)]
pub(super) struct PlatformLine {
    line: Line,
    variant: ImageVariant,
}

impl PlatformLine {
    /// The lines of an image; variants for no platform, such as attestations, have none.
    pub(super) fn of(image: &ImageResource) -> Vec<Self> {
        let known = |variant: &&ImageVariant| variant.platform.os != "unknown";
        let variants = image.variants.iter().filter(known);
        variants
            .map(|variant| Self {
                line: Line {
                    name: image.configuration.name.clone(),
                    digest: image.configuration.descriptor.digest().to_string(),
                },
                variant: variant.clone(),
            })
            .collect()
    }
}

impl Row for PlatformLine {
    const HEADER: &'static [&'static str] = &[
        "NAME",
        "TAG",
        "INDEX DIGEST",
        "OS",
        "ARCH",
        "VARIANT",
        "FULL SIZE",
        "CREATED",
        "MANIFEST DIGEST",
    ];

    fn cells(&self) -> Vec<String> {
        let mut cells = self.line.cells();
        let platform = &self.variant.platform;
        cells.extend([
            platform.os.clone(),
            platform.architecture.clone(),
            platform.variant.clone().unwrap_or_default(),
            container_resource::size::file_size(self.variant.size),
            self.variant.config.created().clone().unwrap_or_default(),
            short(&self.variant.digest),
        ]);
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tags() {
        let hex = "a".repeat(64);
        let cases = [
            ("alpine:3.22", ("alpine", "3.22")),
            ("ghcr.io/a/b:latest", ("ghcr.io/a/b", "latest")),
            (&format!("alpine@sha256:{hex}"), ("alpine", "<none>")),
            (&format!("untagged@sha256:{hex}"), ("untagged", "<none>")),
        ];
        for (text, (name, tag)) in cases {
            assert_eq!(name_and_tag(text), (name.to_owned(), tag.to_owned()));
        }
    }

    #[test]
    fn digests_are_short() {
        let line = Line {
            name: "a:1".to_owned(),
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
        };
        assert_eq!(line.cells(), ["a", "1", "0123456789ab"]);
    }

    #[test]
    fn the_systems_own_images_are_hidden() {
        let system = SystemConfiguration::default();
        assert!(is_infrastructure(&system.vminit.image, &system));
        assert!(!is_infrastructure("docker.io/library/alpine:latest", &system));
    }
}
