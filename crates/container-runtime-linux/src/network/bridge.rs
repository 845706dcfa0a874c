use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use container_client::network::{AllocateRequest, Lease, NetworkClient};
use container_client::services::NETWORK_PROGRAM;
use container_config::Roots;
use container_hypervisor::Nic;
use container_ipc::{Error, ErrorCode, runtime_dir};
use container_resource::{Attachment, AttachmentConfiguration};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::platform;

/// The pause before a helper that ended is looked for again; it doubles up to the second one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How long a helper that ended may take to be back for a container that starts.
const RETURN: Duration = Duration::from_secs(10);

/// A container's places on its networks. Its addresses are free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Links {
    attachments: Vec<Attachment>,
    keepers: Vec<JoinHandle<()>>,
}

impl Links {
    /// What the interfaces are, in their order.
    pub(crate) fn attachments(&self) -> &[Attachment] {
        &self.attachments
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
    }
}

/// Leases addresses on the networks that a container asks for; `plugins` are the programs of their helpers. The interfaces
/// are for the virtual machine, the rest for as long as it runs.
///
/// # Errors
/// A network's helper does not run, or refuses; then nothing is leased.
pub(crate) async fn attach(
    wanted: &[AttachmentConfiguration],
    plugins: &[String],
) -> Result<(Vec<Nic>, Links), Error> {
    let mut nics = Vec::new();
    let mut links = Links {
        attachments: Vec::new(),
        keepers: Vec::new(),
    };
    if wanted.is_empty() {
        return Ok((nics, links));
    }
    let directory = runtime_dir(&Roots::from_environment()?.app);
    for (index, wanted) in wanted.iter().enumerate() {
        let plugin = plugins.get(index).map_or(NETWORK_PROGRAM, String::as_str);
        let place = Place {
            directory: directory.clone(),
            plugin: plugin.to_owned(),
            wanted: wanted.clone(),
        };
        let text = || format!("failed to attach to network {}", wanted.network);
        let (client, lease) = place.first_lease().await.map_err(|error| error.wrap(text()))?;
        let mac = lease.attachment.mac_address.as_deref().and_then(super::parse_mac);
        let (Some(mac), Some(kind)) = (mac, platform::kind(lease.device)) else {
            return Err(Error::internal("its helper gave no interface").wrap(text()));
        };
        nics.push(Nic { mac, kind });
        links.attachments.push(lease.attachment.clone());
        links.keepers.push(tokio::spawn(place.keep(
            client,
            lease.attachment,
            lease.helpers_end,
        )));
    }
    Ok((nics, links))
}

/// What is asked of one network.
#[derive(Debug)]
struct Place {
    directory: PathBuf,
    plugin: String,
    wanted: AttachmentConfiguration,
}

impl Place {
    /// A lease, also from a helper that is being started again.
    async fn first_lease(&self) -> Result<(NetworkClient, Lease), Error> {
        let end = Instant::now() + RETURN;
        let mut pause = PAUSES.0;
        loop {
            match self.lease(None).await {
                Err(error) if error.code == ErrorCode::Interrupted && Instant::now() + pause < end => {
                    tracing::debug!(network = self.wanted.network, %error, "the network's helper is not there");
                }
                result => return result,
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn lease(&self, helpers_end: Option<OwnedFd>) -> Result<(NetworkClient, Lease), Error> {
        let client = NetworkClient::connect(&self.directory, &self.plugin, &self.wanted.network).await?;
        let options = &self.wanted.options;
        let request = AllocateRequest {
            hostname: options.hostname.clone(),
            mac_address: options.mac_address.clone(),
            ipv4_address: options.ipv4_address,
            aliases: options.aliases.clone(),
            mtu: options.mtu,
        };
        let lease = client.resume(request, helpers_end).await?;
        Ok((client, lease))
    }

    async fn resume(&self, helpers_end: Option<&OwnedFd>) -> Result<NetworkClient, Error> {
        let helpers_end = helpers_end.map(OwnedFd::try_clone).transpose()?;
        // The interface that comes with it is not needed.
        Ok(self.lease(helpers_end).await?.0)
    }

    /// Keeps the lease until somebody ends this task. A helper that is started again is told who has the address. The
    /// interface itself never went away: a tap device stays, and where frames go through a socket, both ends of it are
    /// here, so that the machine notices nothing but a pause.
    async fn keep(mut self, mut client: NetworkClient, attachment: Attachment, helpers_end: Option<OwnedFd>) {
        let address = attachment.ipv4_address.split('/').next();
        self.wanted.options.ipv4_address = address.and_then(|address| address.parse().ok());
        self.wanted.options.mac_address = attachment.mac_address;
        let network = &self.wanted.network;
        loop {
            client.closed().await;
            tracing::warn!(network, "the network's helper ended");
            let mut pause = PAUSES.0;
            client = loop {
                sleep(pause).await;
                match self.resume(helpers_end.as_ref()).await {
                    Ok(client) => break client,
                    Err(error) => tracing::debug!(network, %error, "the network's helper is not back"),
                }
                pause = (pause * 2).min(PAUSES.1);
            };
            tracing::info!(network, "the network's helper is back");
        }
    }
}
