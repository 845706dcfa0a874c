//! The image service as the server sees it: a process that is kept running, and asked for disks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use container_client::images::{Fetch, Scheme};
use container_client::{ImagesClient, services};
use container_config::SystemConfiguration;
use container_ipc::{Error, ErrorCode, Progress, ProgressEvent};
use container_resource::{DiskUsage, ImageDescription, Platform};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::jobs::Jobs;

/// How long a caller waits for a service that is just starting.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a service may take from its start until it listens.
const START: Duration = Duration::from_secs(10);
/// How often that is tried. The service makes its socket itself, which nothing announces.
const TRY: Duration = Duration::from_millis(5);
/// The pause before a service that ended is started again; it doubles until one lives longer than the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// How many blobs of an init image are fetched at the same time.
const DOWNLOADS: i64 = 3;

/// The image service. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ImageService {
    connection: watch::Receiver<Option<ImagesClient>>,
    default_domain: String,
    dns_domain: Option<String>,
}

impl ImageService {
    /// Starts the service, or takes over the one that runs, and keeps it running as long as this process does.
    pub(crate) fn start(runtime_directory: &Path, jobs: Jobs, configuration: &SystemConfiguration) -> Self {
        let (sender, connection) = watch::channel(None);
        tokio::spawn(keep_running(runtime_directory.to_owned(), jobs, sender));
        Self {
            connection,
            default_domain: configuration.registry.domain.clone(),
            dns_domain: configuration.dns.domain.clone(),
        }
    }

    /// The read-only disk of a stored image, made if need be.
    ///
    /// # Errors
    /// The image or its variant for `platform` is not stored, or the disk cannot be made.
    pub(crate) async fn disk(
        &self,
        image: &ImageDescription,
        platform: &Platform,
        progress: &Progress,
    ) -> Result<PathBuf, Error> {
        let client = self.client().await?;
        disk(&client, image, platform, progress).await
    }

    /// The read-only disk of the init image that `reference` names, fetched and made if need be.
    ///
    /// # Errors
    /// The image is neither stored nor to be had from its registry, or the disk cannot be made.
    pub(crate) async fn init_disk(
        &self,
        reference: &str,
        platform: &Platform,
        progress: &Progress,
    ) -> Result<PathBuf, Error> {
        let client = self.client().await?;
        let how = Fetch {
            default_domain: &self.default_domain,
            dns_domain: self.dns_domain.as_deref(),
            scheme: Scheme::Auto,
            max_concurrent_downloads: DOWNLOADS,
        };
        let fetched = client.fetch(reference, platform, &how, forward(progress)).await;
        let (image, _) =
            fetched.map_err(|error| error.wrap(format!("failed to get init image {reference}")))?;
        disk(&client, &image, platform, progress).await
    }

    /// What images and their disks take; those that `active` names are in use.
    ///
    /// # Errors
    /// The service does not answer.
    pub(crate) async fn disk_usage(&self, active: Vec<String>) -> Result<DiskUsage, Error> {
        let usage = self.client().await?.disk_usage(active).await?;
        Ok(DiskUsage {
            total: usage.total_count,
            active: usage.active_count,
            size_in_bytes: usage.image_size,
            reclaimable: usage.reclaimable_size,
        })
    }

    async fn client(&self) -> Result<ImagesClient, Error> {
        let mut connection = self.connection.clone();
        let connected = timeout(PATIENCE, connection.wait_for(Option::is_some)).await;
        let client = connected
            .ok()
            .and_then(Result::ok)
            .and_then(|client| client.clone());
        client.ok_or_else(|| Error::internal(format!("{} does not run", services::IMAGES_PROGRAM)))
    }
}

async fn disk(
    client: &ImagesClient,
    image: &ImageDescription,
    platform: &Platform,
    progress: &Progress,
) -> Result<PathBuf, Error> {
    let disk = match client.snapshot(image, platform).await {
        Err(error) if error.code == ErrorCode::NotFound => {
            client.unpack(image, Some(platform), forward(progress)).await?;
            client.snapshot(image, platform).await?
        }
        disk => disk?,
    };
    Ok(disk.source.into())
}

/// Passes the service's progress on to whoever called the server.
fn forward(progress: &Progress) -> Option<mpsc::UnboundedSender<ProgressEvent>> {
    if !progress.is_wanted() {
        return None;
    }
    let (sender, mut events) = mpsc::unbounded_channel();
    let progress = progress.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            progress.send(event);
        }
    });
    Some(sender)
}

/// Connects to the service, starting it whenever there is none, until nobody is interested.
async fn keep_running(
    runtime_directory: PathBuf,
    jobs: Jobs,
    connection: watch::Sender<Option<ImagesClient>>,
) {
    let mut pause = PAUSES.0;
    while !connection.is_closed() {
        let since = Instant::now();
        match connect(&runtime_directory, &jobs).await {
            Ok(client) => {
                connection.send_replace(Some(client.clone()));
                tokio::select! {
                    () = client.closed() => {}
                    () = connection.closed() => return,
                }
                connection.send_replace(None);
                tracing::warn!("the image service ended");
            }
            Err(error) => tracing::error!(%error, "failed to start the image service"),
        }
        if since.elapsed() > PAUSES.1 {
            pause = PAUSES.0;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

async fn connect(runtime_directory: &Path, jobs: &Jobs) -> Result<ImagesClient, Error> {
    if let Ok(client) = ImagesClient::connect(runtime_directory).await {
        return Ok(client);
    }
    let label = services::helper_label(services::IMAGES_PROGRAM, None);
    jobs.start(&label, services::IMAGES_PROGRAM, vec!["start".to_owned()], None)
        .await?;
    let deadline = Instant::now() + START;
    loop {
        match ImagesClient::connect(runtime_directory).await {
            Ok(client) => return Ok(client),
            Err(_) if jobs.is_running(&label) && Instant::now() < deadline => sleep(TRY).await,
            Err(error) => {
                let text = format!(
                    "{} does not start, see {}",
                    services::IMAGES_PROGRAM,
                    jobs.log_file(&label).display()
                );
                return Err(error.wrap(text));
            }
        }
    }
}
