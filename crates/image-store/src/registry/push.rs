//! Pushing an image: blobs, then the manifests that list them, then the indexes that list those.

use std::collections::HashMap;
use std::sync::Arc;

use container_ipc::{Progress, ProgressEvent};
use container_resource::Reference;
use futures_util::stream::{self, TryStreamExt};
use oci_spec::image::{Descriptor, Digest};
use reqwest::header::CONTENT_TYPE;

use super::connection::Connection;
use super::error::RegistryError;
use crate::content::ContentStore;
use crate::error::{Error, Result};
use crate::export::{Document, Export};

/// How many blobs are uploaded at the same time.
const CONCURRENT: usize = 3;

/// What is to be pushed.
#[derive(Debug)]
pub(crate) struct Push {
    /// Where to.
    pub(crate) reference: Reference,
    /// What.
    pub(crate) export: Export,
    /// Other repositories of the registry that may have a blob.
    pub(crate) sources: HashMap<Digest, String>,
}

/// Uploads an image. Nothing is visible under its name before everything it consists of is there.
pub(crate) async fn push(
    connection: Connection,
    push: &Push,
    content: &Arc<ContentStore>,
    progress: &Progress,
) -> Result<()> {
    let blobs = &push.export.blobs;
    let sources = blobs.iter().filter_map(|blob| push.sources.get(blob.digest()));
    let connection = &connection.also_reading(sources.cloned());
    let size = blobs.iter().map(Descriptor::size).fold(0, u64::saturating_add);
    progress.send(ProgressEvent {
        items_name: Some("blobs".to_owned()),
        add_total_items: i64::try_from(blobs.len()).ok(),
        add_total_size: i64::try_from(size).ok(),
        ..ProgressEvent::default()
    });
    stream::iter(blobs.iter().map(Ok))
        .try_for_each_concurrent(CONCURRENT, |blob| async move {
            let source = push.sources.get(blob.digest()).map(String::as_str);
            connection.upload(blob, source, content, progress).await?;
            progress.send(ProgressEvent {
                add_items: Some(1),
                ..ProgressEvent::default()
            });
            Ok::<_, Error>(())
        })
        .await?;
    for document in &push.export.documents {
        let digest = document.descriptor.digest();
        let target = match (push.reference.digest(), push.reference.tag()) {
            _ if digest != push.export.root.digest() => digest.as_ref(),
            (None, Some(tag)) => tag,
            (Some(named), _) if named != digest.as_ref() => {
                let expected = named.parse().unwrap_or_else(|_| digest.clone());
                let actual = digest.clone();
                return Err(Error::DigestMismatch { expected, actual });
            }
            _ => digest.as_ref(),
        };
        put(connection, document, target, &push.reference).await?;
    }
    Ok(())
}

/// Stores a manifest or an index under a tag or under its digest.
async fn put(
    connection: &Connection,
    document: &Document,
    target: &str,
    reference: &Reference,
) -> Result<(), RegistryError> {
    let url = connection.url(&format!("manifests/{target}"))?;
    let response = connection
        .request(&reference.to_string(), &url, true, |http| {
            http.put(url.clone())
                .header(CONTENT_TYPE, document.descriptor.media_type().to_string())
                .body(document.bytes.clone())
        })
        .await?;
    let stored = response
        .headers()
        .get("Docker-Content-Digest")
        .and_then(|value| value.to_str().ok()?.parse::<Digest>().ok());
    match stored {
        Some(stored) if crate::digest::hex(&stored).is_ok() && stored != *document.descriptor.digest() => {
            Err(RegistryError::Malformed {
                host: connection.host.clone(),
                reason: format!(
                    "digest {stored} for what was pushed as {}",
                    document.descriptor.digest()
                ),
            })
        }
        _ => Ok(()),
    }
}
