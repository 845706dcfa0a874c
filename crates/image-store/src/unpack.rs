//! From layers to a disk: all layers of one variant, flattened in one streaming pass, which may begin while they arrive.

use std::fs::File;
use std::io::{self, Read};

use container_erofs::{Builder, Error as DiskError, Fault, Options};
use container_ipc::{Progress, ProgressEvent};
use oci_spec::image::{Descriptor, Digest, ImageConfiguration, ImageManifest};
use tokio_util::sync::CancellationToken;

use crate::arrival::{Follow, Supply};
use crate::content::ContentStore;
use crate::error::{IoContext, Result};
use crate::snapshot::{Snapshot, Snapshots};
use crate::{Error, digest, graph};

/// Makes the disk of a variant; its layers are in `content`.
pub(crate) fn unpack(
    content: &ContentStore,
    snapshots: &Snapshots,
    manifest: &ImageManifest,
    configuration: &ImageConfiguration,
    progress: &Progress,
    cancelled: &CancellationToken,
) -> Result<Snapshot> {
    // All are opened first, so that no layer can be collected while earlier ones are read.
    let files = manifest
        .layers()
        .iter()
        .map(|layer| {
            content
                .open_blob(layer.digest())
                .map_err(|error| absent(layer, error))
        })
        .collect::<Result<Vec<_>>>()?;
    flatten(snapshots, manifest, configuration, files, progress, cancelled)
}

/// Says why a layer is not there where that is nobody's mistake.
fn absent(layer: &Descriptor, error: Error) -> Error {
    match error {
        Error::BlobNotFound(digest) if graph::is_foreign(layer.media_type()) => Error::Layer {
            digest,
            reason: "it may not be distributed, and the registry does not have it".to_owned(),
        },
        error => error,
    }
}

/// Makes the disk of a variant whose layers are arriving. Fails when one of them does not.
pub(crate) fn unpack_arriving(
    content: &ContentStore,
    snapshots: &Snapshots,
    manifest: &ImageManifest,
    configuration: &ImageConfiguration,
    supply: &Supply,
) -> Result<Snapshot> {
    let layers = manifest.layers().iter();
    let layers = layers.map(|layer| Follow::new(content, supply, layer.digest()));
    let (progress, cancelled) = (Progress::none(), &supply.cancelled);
    flatten(
        snapshots,
        manifest,
        configuration,
        layers.collect(),
        &progress,
        cancelled,
    )
}

/// Puts the contents of layers together, the lowest first.
fn flatten<R: Read + Send>(
    snapshots: &Snapshots,
    manifest: &ImageManifest,
    configuration: &ImageConfiguration,
    contents: Vec<R>,
    progress: &Progress,
    cancelled: &CancellationToken,
) -> Result<Snapshot> {
    let diff_ids = configuration.rootfs().diff_ids();
    let malformed = |reason: String| Error::Malformed {
        kind: "image configuration",
        digest: manifest.config().digest().clone(),
        reason,
    };
    let layers = manifest.layers();
    if diff_ids.len() != layers.len() {
        let reason = format!(
            "it lists {} layers, the manifest {}",
            diff_ids.len(),
            layers.len()
        );
        return Err(malformed(reason));
    }
    let expected = diff_ids
        .iter()
        .map(|id| sha256(id).ok_or_else(|| malformed(format!("unsupported diff ID {id}"))))
        .collect::<Result<Vec<_>>>()?;
    progress.send(ProgressEvent {
        items_name: Some("layers".to_owned()),
        add_total_items: i64::try_from(layers.len()).ok(),
        add_total_size: i64::try_from(layers.iter().map(|layer| layer.size()).sum::<u64>()).ok(),
        ..ProgressEvent::default()
    });

    let building = snapshots.build()?;
    let disk = building.disk();
    let failed = |digest: &Digest, error: DiskError| match error {
        _ if cancelled.is_cancelled() => Error::Cancelled,
        DiskError::Layer {
            source: Fault::Write(source),
            ..
        }
        | DiskError::Entry {
            source: Fault::Write(source),
            ..
        }
        | DiskError::Finish(Fault::Write(source)) => Error::Io {
            action: "failed to write",
            path: disk.clone(),
            source,
        },
        error => Error::Layer {
            digest: digest.clone(),
            reason: reason(&error),
        },
    };
    let output = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&disk);
    let mut builder = Builder::new(output.context("failed to create", &disk)?, Options::default())
        .map_err(|error| failed(manifest.config().digest(), error))?;
    for ((layer, contents), expected) in layers.iter().zip(contents).zip(expected) {
        let reader = Layer {
            contents,
            progress,
            cancelled,
        };
        builder
            .add_layer(reader, Some(expected))
            .map_err(|error| failed(layer.digest(), error))?;
        progress.send(ProgressEvent {
            add_items: Some(1),
            ..ProgressEvent::default()
        });
    }
    builder
        .finish()
        .map_err(|error| failed(manifest.config().digest(), error))?;
    building.publish(&graph::chain_id(configuration), diff_ids)
}

/// The bytes of `sha256:…`.
fn sha256(diff_id: &str) -> Option<[u8; 32]> {
    let digest: Digest = diff_id.parse().ok()?;
    let hex = digest::hex(&digest).ok()?;
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// The error with its cause; that one's text has the system's reason in it already.
fn reason(error: &DiskError) -> String {
    match std::error::Error::source(error) {
        Some(fault) => format!("{error}: {fault}"),
        None => error.to_string(),
    }
}

/// A layer's contents, which report how far they were read and stop when nobody waits for them any more.
struct Layer<'a, R> {
    contents: R,
    progress: &'a Progress,
    cancelled: &'a CancellationToken,
}

impl<R: Read> Read for Layer<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancelled.is_cancelled() {
            return Err(io::Error::other("operation cancelled"));
        }
        let n = self.contents.read(buffer)?;
        self.progress.send(ProgressEvent {
            add_size: i64::try_from(n).ok(),
            ..ProgressEvent::default()
        });
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_ids() {
        let id = digest::of(b"").to_string();
        assert_eq!(
            sha256(&id).map(|bytes| bytes[..3].to_vec()),
            Some(vec![0xe3, 0xb0, 0xc4])
        );
        assert_eq!(sha256("sha256:xyz"), None);
        assert_eq!(sha256(&format!("sha512:{}", "0".repeat(128))), None);
    }
}
