//! Uploading one blob: not at all when it is there, from another repository when it is in one, else in pieces.

use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use container_ipc::{Progress, ProgressEvent};
use oci_spec::image::{Descriptor, Digest};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Response, StatusCode, Url};

use super::connection::Connection;
use super::error::RegistryError;
use crate::content::ContentStore;
use crate::error::{Error, IoContext, Result};

/// Bytes of a piece, unless the registry wants larger ones: 4 MiB, the most that some registries take.
const PIECE: u64 = 4 << 20;

/// The largest pieces that a registry may ask for, in bytes; one piece of every upload is in memory.
const MAX_PIECE: u64 = 16 << 20;

impl Connection {
    /// Makes the registry have a blob. `source` is another of its repositories, which may have it.
    pub(super) async fn upload(
        &self,
        blob: &Descriptor,
        source: Option<&str>,
        content: &Arc<ContentStore>,
        progress: &Progress,
    ) -> Result<()> {
        let send = |size: u64| {
            progress.send(ProgressEvent {
                add_size: i64::try_from(size).ok(),
                ..ProgressEvent::default()
            });
        };
        if self.has(blob.digest()).await? {
            send(blob.size());
            return Ok(());
        }
        let Some(mut upload) = self.begin(blob, source).await? else {
            send(blob.size());
            return Ok(());
        };
        let mut failures = 0;
        while upload.sent < blob.size() {
            let end = blob.size().min(upload.sent + upload.piece);
            let bytes = read(content, blob.digest(), upload.sent, end).await?;
            match self.piece(blob, &upload, bytes).await {
                Ok(response) => {
                    upload.location = self.location(&response, &upload.location)?;
                    send(end - upload.sent);
                    upload.sent = end;
                    failures = 0;
                }
                Err(error) if failures < self.retries() && is_passing(&error) => {
                    failures += 1;
                    tracing::debug!("{} broke off the upload of {}: {error}", self.host, blob.digest());
                    tokio::time::sleep(self.retry_delay()).await;
                    self.find_out(blob, &mut upload).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.end(blob, &upload).await
    }

    /// Whether the repository has a blob.
    async fn has(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let url = self.url(&format!("blobs/{digest}"))?;
        let answer = self.request(digest.as_ref(), &url, true, |http| http.head(url.clone()));
        match answer.await {
            Ok(_) => Ok(true),
            Err(RegistryError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload; none when the registry took the blob from `source`.
    async fn begin(&self, blob: &Descriptor, source: Option<&str>) -> Result<Option<Upload>, RegistryError> {
        let mut url = self.url("blobs/uploads/")?;
        if let Some(source) = source {
            url.query_pairs_mut()
                .append_pair("mount", blob.digest().as_ref())
                .append_pair("from", source);
        }
        let response = self
            .request(blob.digest().as_ref(), &url, true, |http| {
                http.post(url.clone()).header(CONTENT_LENGTH, 0)
            })
            .await?;
        if source.is_some() && response.status() == StatusCode::CREATED {
            return Ok(None);
        }
        let wanted = response
            .headers()
            .get("OCI-Chunk-Min-Length")
            .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        Ok(Some(Upload {
            location: self.location(&response, &url)?,
            sent: 0,
            piece: wanted.unwrap_or(0).clamp(PIECE, MAX_PIECE),
        }))
    }

    /// Sends a piece.
    async fn piece(
        &self,
        blob: &Descriptor,
        upload: &Upload,
        bytes: Bytes,
    ) -> Result<Response, RegistryError> {
        let range = format!("{}-{}", upload.sent, upload.sent + bytes.len() as u64 - 1);
        let url = &upload.location;
        self.request(blob.digest().as_ref(), url, false, |http| {
            http.patch(url.clone())
                .header(CONTENT_TYPE, "application/octet-stream")
                .header(CONTENT_RANGE, &range)
                .body(bytes.clone())
        })
        .await
    }

    /// Asks how much of an upload arrived, and begins another when the registry does not know it any more.
    async fn find_out(&self, blob: &Descriptor, upload: &mut Upload) -> Result<(), RegistryError> {
        let url = upload.location.clone();
        let answer = self
            .request(blob.digest().as_ref(), &url, true, |http| http.get(url.clone()))
            .await;
        match answer {
            Ok(response) => {
                upload.location = self.location(&response, &url)?;
                upload.sent = received(&response).min(blob.size());
            }
            Err(RegistryError::NotFound { .. }) => {
                if let Some(other) = self.begin(blob, None).await? {
                    *upload = other;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells the registry that the blob is complete, which it checks.
    async fn end(&self, blob: &Descriptor, upload: &Upload) -> Result<()> {
        let mut url = upload.location.clone();
        url.query_pairs_mut()
            .append_pair("digest", blob.digest().as_ref());
        let ended = self
            .request(blob.digest().as_ref(), &url, false, |http| {
                http.put(url.clone()).header(CONTENT_LENGTH, 0)
            })
            .await;
        match ended {
            Ok(_) => Ok(()),
            // The answer may be what got lost.
            Err(error) if is_passing(&error) && self.has(blob.digest()).await? => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Where an upload goes on.
    fn location(&self, response: &Response, asked: &Url) -> Result<Url, RegistryError> {
        let location = response.headers().get(LOCATION);
        let url = match location.map(|value| value.to_str().map(|text| asked.join(text))) {
            // Registries repeat it with every answer; those that do not mean the same place.
            None if response.status() == StatusCode::NO_CONTENT => Some(asked.clone()),
            Some(Ok(Ok(url))) => Some(url),
            _ => None,
        };
        url.filter(|url| asked.scheme() == "http" || url.scheme() == "https")
            .ok_or_else(|| RegistryError::Malformed {
                host: self.host.clone(),
                reason: "no usable place to upload to".to_owned(),
            })
    }
}

/// An upload that has begun.
#[derive(Debug)]
struct Upload {
    location: Url,
    /// Bytes that the registry has.
    sent: u64,
    /// Bytes of a piece.
    piece: u64,
}

/// How many bytes the registry has, from its `Range: 0-<last>`. Without the header it has none.
fn received(response: &Response) -> u64 {
    let range = response.headers().get(RANGE);
    let last = range.and_then(|value| value.to_str().ok()?.rsplit('-').next()?.parse::<u64>().ok());
    match last {
        // There is no way to say "nothing" in this header but one that also means one byte.
        None | Some(0) => 0,
        Some(last) => last + 1,
    }
}

/// Whether the same may succeed later.
fn is_passing(error: &RegistryError) -> bool {
    match error {
        RegistryError::Unreachable { .. } | RegistryError::Stalled { .. } => true,
        RegistryError::Refused { status, .. } => {
            status.is_server_error()
                || matches!(
                    *status,
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::RANGE_NOT_SATISFIABLE
                )
        }
        _ => false,
    }
}

/// Reads a piece of a blob, where it may block.
async fn read(content: &Arc<ContentStore>, digest: &Digest, from: u64, to: u64) -> Result<Bytes> {
    let (content, digest) = (Arc::clone(content), digest.clone());
    let read = move || {
        let mut bytes = vec![0; usize::try_from(to - from).unwrap_or_default()];
        content
            .open_blob(&digest)?
            .read_exact_at(&mut bytes, from)
            .context("failed to read", content.path(&digest)?)?;
        Ok(Bytes::from(bytes))
    };
    tokio::task::spawn_blocking(read)
        .await
        .map_err(|_| Error::Cancelled)?
}
