//! Fetching one blob: streamed to disk, hashed on the way, resumed where a connection broke.

use std::sync::Arc;

use bytes::Bytes;
use container_ipc::{Progress, ProgressEvent};
use oci_spec::image::Descriptor;
use reqwest::header::CONTENT_RANGE;
use reqwest::{Response, StatusCode};
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connection::{Ask, Connection};
use super::error::{RegistryError, root_cause};
use crate::blob::Expected;
use crate::content::Ingest;
use crate::error::{Error, Result};

/// The right to fetch one blob.
pub(super) type Flight = Arc<OwnedMutexGuard<()>>;

/// How many pieces may wait for the disk.
const QUEUE: usize = 32;

impl Connection {
    /// Fetches a blob and makes it visible in the content store. It goes on where an earlier try ended. `flight` keeps
    /// others from fetching the same blob until what was received is written.
    pub(super) async fn blob(
        &self,
        blob: &Descriptor,
        ingest: &Arc<Ingest>,
        flight: &Flight,
        progress: &Progress,
    ) -> Result<()> {
        let mut told = Told { progress, bytes: 0 };
        let mut found = 0;
        let mut fetched = self.fetch(blob, ingest, flight, &mut told, &mut found).await;
        if matches!(fetched, Err(Error::DigestMismatch { .. })) && found > 0 {
            // The beginning was wrong, and is gone now.
            told.take_back();
            fetched = self.fetch(blob, ingest, flight, &mut told, &mut found).await;
        }
        if fetched.is_err() {
            // Somebody else may be asked next.
            told.take_back();
        }
        fetched
    }

    /// Fetches what is missing of a blob; `found` bytes were there.
    async fn fetch(
        &self,
        blob: &Descriptor,
        ingest: &Arc<Ingest>,
        flight: &Flight,
        told: &mut Told<'_>,
        found: &mut u64,
    ) -> Result<()> {
        let (pieces, start, writer) = write_pieces(blob, ingest, flight);
        let fetched = match start.await {
            Ok(start) => {
                *found = start;
                told.add(start);
                self.pieces(blob, start, &pieces, told).await
            }
            // The writer has something to say.
            Err(_) => Err(Error::Cancelled),
        };
        drop(pieces);
        // Whatever the disk or the digest has to say comes before a connection that ended because of it.
        let written = writer.await.map_err(|_| Error::Cancelled)?;
        match (fetched, written) {
            (Ok(()) | Err(Error::Cancelled), written) => written,
            (Err(error), _) => Err(error),
        }
    }

    /// Sends the blob's bytes from `start` on to `pieces`, over as many connections as it takes.
    async fn pieces(
        &self,
        blob: &Descriptor,
        start: u64,
        pieces: &mpsc::Sender<Bytes>,
        told: &mut Told<'_>,
    ) -> Result<()> {
        let path = format!("blobs/{}", blob.digest());
        let size = blob.size();
        let mut received = start;
        let mut failures = 0;
        while received < size {
            let before = received;
            let ask = Ask {
                path: &path,
                name: blob.digest().as_ref(),
                accept: "application/octet-stream, */*",
                offset: received,
            };
            let response = self.get(ask).await?;
            let ended = self.stream(response, &mut received, pieces, told).await?;
            if received < size {
                failures = if received > before { 0 } else { failures + 1 };
                let reason = ended.unwrap_or_else(|| "the answer ended early".to_owned());
                tracing::debug!(
                    "{} broke off {} after {received} bytes: {reason}",
                    self.host,
                    blob.digest()
                );
                if failures > self.retries() {
                    return Err(RegistryError::BrokenOff {
                        host: self.host.clone(),
                        digest: blob.digest().clone(),
                        received,
                        size,
                        reason,
                    }
                    .into());
                }
                tokio::time::sleep(self.retry_delay()).await;
            }
        }
        Ok(())
    }

    /// Passes one answer on. What is returned is why it ended, if it did not end by itself.
    async fn stream(
        &self,
        mut response: Response,
        received: &mut u64,
        pieces: &mpsc::Sender<Bytes>,
        told: &mut Told<'_>,
    ) -> Result<Option<String>> {
        let mut skip = skipped(&response, *received).ok_or_else(|| RegistryError::Malformed {
            host: self.host.clone(),
            reason: "another range than it was asked for".to_owned(),
        })?;
        loop {
            let mut piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(None),
                Err(error) => return Ok(Some(self.reason(&error))),
            };
            let again = skip.min(piece.len() as u64);
            skip -= again;
            // `again` is at most the length of the piece, so it fits.
            let piece = piece.split_off(usize::try_from(again).unwrap_or(piece.len()));
            if piece.is_empty() {
                continue;
            }
            *received += piece.len() as u64;
            told.add(piece.len() as u64);
            // The writer gives up when the disk is full or there is more than there should be.
            pieces.send(piece).await.map_err(|_| Error::Cancelled)?;
        }
    }

    fn reason(&self, error: &reqwest::Error) -> String {
        match self.failed(error) {
            stalled @ RegistryError::Stalled { .. } => stalled.to_string(),
            _ => root_cause(error),
        }
    }
}

/// How many bytes at the beginning of the answer are known already; none when it begins behind what is known.
fn skipped(response: &Response, received: u64) -> Option<u64> {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        // A registry that does not know ranges starts again.
        return Some(received);
    }
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range_start(range).and_then(|start| received.checked_sub(start))
}

/// The first number of `bytes <first>-<last>/<size>`.
fn range_start(range: &str) -> Option<u64> {
    range
        .trim()
        .strip_prefix("bytes")?
        .trim_start()
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// What was told about the bytes of one blob.
struct Told<'a> {
    progress: &'a Progress,
    bytes: u64,
}

impl Told<'_> {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.send(i64::try_from(bytes).ok());
    }

    /// The bytes will come again.
    fn take_back(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.send(i64::try_from(bytes).ok().map(|bytes| -bytes));
    }

    fn send(&self, add_size: Option<i64>) {
        self.progress.send(ProgressEvent {
            add_size,
            ..ProgressEvent::default()
        });
    }
}

/// Writes what is sent, where it may block, and publishes the blob when the sender is dropped and all of it came. First
/// it tells how much is there already.
fn write_pieces(
    blob: &Descriptor,
    ingest: &Arc<Ingest>,
    flight: &Flight,
) -> (
    mpsc::Sender<Bytes>,
    oneshot::Receiver<u64>,
    JoinHandle<Result<()>>,
) {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(QUEUE);
    let (start, started) = oneshot::channel();
    let expected = Expected {
        digest: blob.digest().clone(),
        size: Some(blob.size()),
    };
    let (ingest, flight) = (Arc::clone(ingest), Arc::clone(flight));
    let writer = tokio::task::spawn_blocking(move || {
        // Kept until the file is closed, even when nobody waits for this any more.
        let _flight = flight;
        let mut writer = ingest.resume(expected)?;
        if start.send(writer.written()).is_err() {
            return Err(Error::Cancelled);
        }
        while let Some(piece) = pieces.blocking_recv() {
            writer.write(&piece)?;
        }
        ingest.publish(writer.finish()?)
    });
    (sender, started, writer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(range_start("bytes 5-9/10"), Some(5));
        assert_eq!(range_start("bytes 0-9/*"), Some(0));
        for range in ["", "bytes", "bytes -5/10", "items 1-2/3", "bytes x-2/3"] {
            assert_eq!(range_start(range), None, "{range}");
        }
    }
}
