//! Docker archives, as `docker save` writes them: converted to OCI on the way in.

use container_resource::reference::{DOCKER_DOMAIN, Reference};
use container_resource::{Descriptor, ImageDescription};
use oci_spec::image::{ImageConfiguration, ImageManifestBuilder, MediaType};
use serde::Deserialize;

use super::source::Source;
use super::{compression, layout};
use crate::error::Result;
use crate::graph;

/// One image of `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// Takes every image of `manifest.json`.
pub(super) fn import(source: &Source<'_>) -> Result<Vec<ImageDescription>> {
    let items: Vec<Item> = serde_json::from_slice(&source.read("manifest.json")?)
        .map_err(|error| source.error(format!("manifest.json is malformed: {error}")))?;
    let mut images = Vec::new();
    for item in items {
        images.extend(import_image(source, item)?);
    }
    Ok(images)
}

fn import_image(source: &Source<'_>, item: Item) -> Result<Vec<ImageDescription>> {
    let config = source.take_member(&item.config)?;
    let configuration: ImageConfiguration = graph::configuration(source, &config.digest)?;
    let layers = item.layers.unwrap_or_default();
    if layers.len() != configuration.rootfs().diff_ids().len() {
        return Err(source.error(format!(
            "{} lists {} layers, manifest.json {}",
            item.config,
            configuration.rootfs().diff_ids().len(),
            layers.len()
        )));
    }
    let layers = layers
        .iter()
        .map(|name| {
            let layer = source.take_member(name)?;
            Ok(Descriptor::new(
                compression::layer_media_type(&layer.path)?,
                layer.size,
                layer.digest,
            ))
        })
        .collect::<Result<Vec<_>>>()?;
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(Descriptor::new(
            MediaType::ImageConfig,
            config.size,
            config.digest,
        ))
        .layers(layers)
        .build()
        .map_err(|error| source.error(error.to_string()))?;
    let bytes = serde_json::to_vec(&manifest).map_err(|error| source.error(error.to_string()))?;
    let manifest = Descriptor::new(MediaType::ImageManifest, bytes.len() as u64, source.add(&bytes)?);
    let descriptor = layout::wrapped(source, &manifest, None)?;
    let describe = |reference| ImageDescription {
        reference,
        descriptor: descriptor.clone(),
    };
    let tags = item.repo_tags.unwrap_or_default();
    if tags.is_empty() {
        return Ok(vec![describe(format!("untagged@{}", descriptor.digest()))]);
    }
    // A tag without a domain means Docker's registry, whatever the default is here.
    tags.iter()
        .map(|tag| {
            Ok(describe(
                Reference::parse_normalized(tag, DOCKER_DOMAIN)?.to_string(),
            ))
        })
        .collect()
}
