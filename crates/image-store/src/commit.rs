//! An image made of another one and of a layer on top of it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use container_resource::commit::{Commit, ConfigurationChange};
use container_resource::time::Timestamp;
use container_resource::{Descriptor, ImageDescription};
use flate2::Compression;
use flate2::read::GzEncoder;
use oci_spec::image::{ImageManifestBuilder, MediaType};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::content::Ingest;
use crate::error::Result;
use crate::{Error, digest, graph};

/// What is told about the layer's file when it cannot be read.
const LAYER: &str = "layer";

/// Stores the layer, configuration, manifest and index of the new image. `layer` is a tar archive, not compressed, which
/// is read from its beginning.
///
/// # Errors
///
/// The image below is not stored any more, or its documents are malformed; `layer` cannot be read.
pub(crate) fn commit(
    request: Commit,
    layer: File,
    ingest: &Ingest,
    cancelled: &CancellationToken,
) -> Result<ImageDescription> {
    let store = &**ingest.store();
    let below = graph::select(store, &request.image.descriptor, &request.platform)?;
    let manifest = graph::manifest(store, below.digest())?;
    let mut layers = Vec::new();
    for layer in manifest.layers() {
        if !ingest.holds(layer.digest(), Some(layer.size()))? && !graph::is_foreign(layer.media_type()) {
            return Err(Error::BlobNotFound(layer.digest().clone()));
        }
        layers.push(as_oci(layer));
    }
    let (layer, diff_id) = store_layer(layer, ingest, cancelled)?;
    layers.push(layer);

    let malformed = |reason: String| Error::Malformed {
        kind: "image configuration",
        digest: manifest.config().digest().clone(),
        reason,
    };
    let configuration: Value = graph::parse(store, manifest.config().digest(), "image configuration")?;
    let Value::Object(configuration) = configuration else {
        return Err(malformed("it is not an object".to_owned()));
    };
    let configuration =
        derive(configuration, &request, &diff_id).map_err(|reason| malformed(reason.to_owned()))?;
    let encode = |value: &Value| serde_json::to_vec(value).map_err(|error| malformed(error.to_string()));
    let bytes = encode(&configuration)?;
    let config = Descriptor::new(MediaType::ImageConfig, bytes.len() as u64, ingest.add(&bytes)?);
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(config)
        .layers(layers)
        .build()
        .map_err(|error| malformed(error.to_string()))?;
    let bytes = serde_json::to_vec(&manifest).map_err(|error| malformed(error.to_string()))?;
    let manifest = Descriptor::new(MediaType::ImageManifest, bytes.len() as u64, ingest.add(&bytes)?);
    let index = graph::wrap(&manifest, &request.platform)?;
    let descriptor = graph::index_descriptor(ingest.add(&index)?, index.len(), None);
    let reference = request
        .reference
        .unwrap_or_else(|| format!("untagged@{}", descriptor.digest()));
    Ok(ImageDescription {
        reference,
        descriptor,
    })
}

/// A layer under the media type that an OCI manifest has for it.
fn as_oci(layer: &Descriptor) -> Descriptor {
    let media_type = match layer.media_type().as_ref() {
        "application/vnd.docker.image.rootfs.diff.tar" => MediaType::ImageLayer,
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => MediaType::ImageLayerGzip,
        "application/vnd.docker.image.rootfs.diff.tar.zstd" => MediaType::ImageLayerZstd,
        _ => return layer.clone(),
    };
    let mut layer = layer.clone();
    layer.set_media_type(media_type);
    layer
}

/// Stores the layer, compressed; gives its descriptor, and the digest of what it is decompressed.
fn store_layer(layer: File, ingest: &Ingest, cancelled: &CancellationToken) -> Result<(Descriptor, String)> {
    let hashed = Hashed {
        inner: layer,
        hasher: Sha256::new(),
        cancelled,
    };
    let mut compressed = GzEncoder::new(hashed, Compression::fast());
    let mut writer = ingest.writer(None)?;
    let copied = writer.copy(&mut compressed, Path::new(LAYER));
    if cancelled.is_cancelled() {
        return Err(Error::Cancelled);
    }
    copied?;
    let staged = writer.finish()?;
    let descriptor = Descriptor::new(MediaType::ImageLayerGzip, staged.size, staged.digest.clone());
    ingest.publish(staged)?;
    let diff_id = digest::finish(compressed.into_inner().hasher);
    Ok((descriptor, diff_id.to_string()))
}

/// A reader that knows the digest of what was read.
struct Hashed<'a, R> {
    inner: R,
    hasher: Sha256,
    cancelled: &'a CancellationToken,
}

impl<R: Read> Read for Hashed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let amount = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..amount]);
        Ok(amount)
    }
}

/// The configuration of the image below with one more layer, and with what was asked for. What is not part of the
/// specification stays, as some tools keep more in there.
fn derive(
    mut configuration: Map<String, Value>,
    request: &Commit,
    diff_id: &str,
) -> std::result::Result<Value, &'static str> {
    let created = Timestamp::now().to_string();
    let layers = configuration
        .get_mut("rootfs")
        .and_then(|rootfs| rootfs.get_mut("diff_ids"))
        .and_then(Value::as_array_mut)
        .ok_or("it has no rootfs.diff_ids")?;
    let below = layers.len();
    layers.push(diff_id.into());
    let history = configuration.entry("history").or_insert_with(|| json!([]));
    let history = history.as_array_mut().ok_or("its history is not a list")?;
    let told = |entry: &&Value| entry.get("empty_layer").and_then(Value::as_bool) != Some(true);
    // Tools expect an entry for every layer, or none at all.
    let missing = below.saturating_sub(history.iter().filter(told).count());
    history.extend(std::iter::repeat_n(json!({}), missing));
    let mut entry = json!({ "created": created, "created_by": request.created_by });
    for (key, value) in [("author", &request.author), ("comment", &request.message)] {
        if let Some(value) = value {
            entry[key] = value.as_str().into();
        }
    }
    history.push(entry);
    configuration.insert("created".to_owned(), created.into());
    if let Some(author) = &request.author {
        configuration.insert("author".to_owned(), author.as_str().into());
    }
    let config = configuration.entry("config").or_insert(Value::Null);
    if config.is_null() {
        *config = json!({});
    }
    let config = config.as_object_mut().ok_or("its config is not an object")?;
    for change in &request.changes {
        apply(config, change);
    }
    Ok(Value::Object(configuration))
}

fn apply(config: &mut Map<String, Value>, change: &ConfigurationChange) {
    let mut set = |key: &str, value: Value| drop(config.insert(key.to_owned(), value));
    match change {
        ConfigurationChange::Cmd(words) => set("Cmd", json!(words)),
        ConfigurationChange::Entrypoint(words) => {
            set("Entrypoint", json!(words));
            // They were meant for another program.
            set("Cmd", Value::Null);
        }
        ConfigurationChange::HealthCheck(check) => set("Healthcheck", check.clone()),
        ConfigurationChange::StopSignal(signal) => set("StopSignal", json!(signal)),
        ConfigurationChange::User(user) => set("User", json!(user)),
        ConfigurationChange::Workdir(path) => set("WorkingDir", json!(path)),
        ConfigurationChange::Expose(port) => member(config, "ExposedPorts", port, json!({})),
        ConfigurationChange::Volume(path) => member(config, "Volumes", path, json!({})),
        ConfigurationChange::Label(key, value) => member(config, "Labels", key, json!(value)),
        ConfigurationChange::Env(key, value) => {
            let mut variables = match config.remove("Env") {
                Some(Value::Array(variables)) => variables,
                _ => Vec::new(),
            };
            let entry = json!(format!("{key}={value}"));
            let same = |variable: &&mut Value| {
                variable
                    .as_str()
                    .and_then(|text| text.split_once('='))
                    .is_some_and(|(found, _)| found == key)
            };
            match variables.iter_mut().find(same) {
                Some(variable) => *variable = entry,
                None => variables.push(entry),
            }
            config.insert("Env".to_owned(), variables.into());
        }
    }
}

/// Sets a member of one of the configuration's objects.
fn member(config: &mut Map<String, Value>, object: &str, key: &str, value: Value) {
    let object = config.entry(object).or_insert(Value::Null);
    if !object.is_object() {
        *object = json!({});
    }
    object[key] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_replace_and_add() {
        let mut config = json!({
            "Env": ["PATH=/bin", "A=1"], "Cmd": ["sh"], "Labels": null, "Healthcheck": { "Test": ["CMD", "x"] },
        });
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let changes = [
            ConfigurationChange::Entrypoint(words("/bin/app -v")),
            ConfigurationChange::Env("A".into(), "2=3".into()),
            ConfigurationChange::Env("B".into(), String::new()),
            ConfigurationChange::Label("a/b".into(), "c".into()),
            ConfigurationChange::Expose("80/tcp".into()),
            ConfigurationChange::Workdir("/srv".into()),
        ];
        for change in &changes {
            apply(config.as_object_mut().unwrap(), change);
        }
        let expected = json!({
            "Env": ["PATH=/bin", "A=2=3", "B="], "Cmd": null, "Entrypoint": ["/bin/app", "-v"],
            "Labels": { "a/b": "c" }, "ExposedPorts": { "80/tcp": {} }, "WorkingDir": "/srv",
            "Healthcheck": { "Test": ["CMD", "x"] },
        });
        assert_eq!(config, expected);
    }
}
