//! Downloading a kernel archive.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use container_ipc::{Error, Progress, ProgressEvent};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::digest::Sha256Digest;

/// How long a server may take to be reached, and to go on sending.
const CONNECT: Duration = Duration::from_secs(30);
const READ: Duration = Duration::from_secs(60);

/// Downloads `url` to the new file `target` and gives its digest.
///
/// # Errors
/// The server cannot be reached, refuses, or breaks off; the text says what to do without a network.
pub(super) async fn fetch(url: &str, target: &Path, progress: &Progress) -> Result<Sha256Digest, Error> {
    install_crypto();
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .user_agent(concat!("container/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| unreachable(url, &error))?;
    let response = client
        .get(url)
        .send()
        .await
        .map_err(|error| unreachable(url, &error))?;
    let status = response.status();
    if !status.is_success() {
        return Err(Error::internal(format!(
            "failed to download {url}: the server answers {status}"
        )));
    }
    let total = response
        .content_length()
        .and_then(|bytes| i64::try_from(bytes).ok());
    progress.send(ProgressEvent {
        description: Some("Downloading kernel".to_owned()),
        set_total_size: total,
        ..ProgressEvent::default()
    });
    save(response, url, target, progress).await
}

async fn save(
    mut response: reqwest::Response,
    url: &str,
    target: &Path,
    progress: &Progress,
) -> Result<Sha256Digest, Error> {
    let disk =
        |error: std::io::Error| Error::internal(format!("failed to write {}: {error}", target.display()));
    let mut file = File::create_new(target).await.map_err(disk)?;
    let mut hasher = Sha256::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, &error))? {
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(disk)?;
        let add_size = i64::try_from(chunk.len()).ok();
        progress.send(ProgressEvent {
            add_size,
            ..ProgressEvent::default()
        });
    }
    file.flush().await.map_err(disk)?;
    Ok(Sha256Digest::of(hasher))
}

/// TLS needs one implementation of its algorithms per process.
fn install_crypto() {
    static ONCE: Once = Once::new();
    // An error means that there is one already, which is as good.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

fn unreachable(url: &str, error: &reqwest::Error) -> Error {
    // The reason is at the end of the chain; what is before it repeats the URL.
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    Error::internal(format!(
        "failed to download {url}: {reason}. Without a network, build a kernel with `make kernel` and install it with \
         `container system kernel set --binary <path>`"
    ))
}
