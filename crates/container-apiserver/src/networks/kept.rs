//! One network, and what keeps its helper running.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use container_client::{NetworkClient, services};
use container_ipc::{Endpoint, Error, ErrorCode};
use container_resource::{Network, NetworkConfiguration};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Networks;
use super::subnets::Subnets;

/// How long a container waits for a network that is just being set up.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long a helper may take to set its network up.
const START: Duration = Duration::from_secs(20);
/// How long a helper that runs already may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a helper may take to remove what it has made.
const END: Duration = Duration::from_secs(10);
/// The pause before a helper that ended is started again; it doubles until one lives longer than the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));
/// How many subnets may be taken by others between the choice and the start before that counts as a failure.
const CHOICES: usize = 8;

/// A network and its helper.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) configuration: NetworkConfiguration,
    /// None as long as it could not be given any.
    pub(super) subnets: Mutex<Option<Subnets>>,
    state: watch::Sender<State>,
    /// Asks for another try at once.
    retry: Notify,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Clone)]
enum State {
    Starting,
    Up,
    Failed(Error),
}

impl Kept {
    pub(super) fn new(configuration: NetworkConfiguration, subnets: Option<Subnets>) -> Self {
        Self {
            configuration,
            subnets: Mutex::new(subnets),
            state: watch::Sender::new(State::Starting),
            retry: Notify::new(),
            keeper: Mutex::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.configuration.name
    }

    /// What it uses.
    pub(super) fn subnets(&self) -> MutexGuard<'_, Option<Subnets>> {
        self.subnets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What users see, as soon as there is something to see.
    pub(super) fn resource(&self) -> Option<Network> {
        let subnets = (*self.subnets())?;
        Some(Network {
            id: self.name().to_owned(),
            configuration: self.configuration.clone(),
            status: subnets.status(),
        })
    }

    fn label(&self) -> String {
        services::helper_label(&self.configuration.plugin, Some(self.name()))
    }

    /// Waits until the helper serves. One that has failed is tried again first.
    ///
    /// # Errors
    /// It cannot be started; the text says why.
    pub(super) async fn ready(&self) -> Result<(), Error> {
        let mut state = self.state.subscribe();
        if matches!(*state.borrow_and_update(), State::Failed(_)) {
            self.retry.notify_one();
            // The network that is being deleted has nobody to try it again.
            let _ = timeout(PATIENCE, state.changed()).await;
        }
        let settled = state.wait_for(|state| !matches!(state, State::Starting));
        let settled = timeout(PATIENCE, settled).await;
        match settled.ok().and_then(Result::ok).as_deref() {
            Some(State::Up) => Ok(()),
            Some(State::Failed(error)) => Err(error
                .clone()
                .wrap(format!("failed to start network {}", self.name()))),
            Some(State::Starting) | None => {
                Err(Error::timeout(format!("network {} does not start", self.name())))
            }
        }
    }

    /// Starts to keep the helper running.
    pub(super) fn keep(self: &Arc<Self>, networks: &Networks) {
        let keeper = tokio::spawn(keep_running(networks.clone(), Arc::clone(self)));
        let mut slot = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(keeper);
    }

    /// Ends the helper for good, and with it what it has made on the host.
    pub(super) async fn end(&self, networks: &Networks) {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            keeper.abort();
            let _ = keeper.await;
        }
        let shared = &networks.0;
        let plugin = &self.configuration.plugin;
        if let Ok(client) = NetworkClient::connect(&shared.runtime_directory, plugin, self.name()).await {
            match timeout(END, client.shutdown()).await {
                Ok(Ok(())) => {
                    let _ = timeout(END, client.closed()).await;
                }
                Ok(Err(error)) => tracing::warn!(name = self.name(), %error, "failed to shut a network down"),
                Err(_) => tracing::warn!(name = self.name(), "a network's helper does not end"),
            }
        }
        shared.jobs.remove(&self.label()).await;
        let _ = std::fs::remove_file(self.endpoint(networks).socket_path());
    }

    fn endpoint(&self, networks: &Networks) -> Endpoint {
        let service = services::network(&self.configuration.plugin, self.name());
        Endpoint::new(&networks.0.runtime_directory, &service)
    }

    /// Connects to the helper that runs, or starts one.
    async fn connect(&self, networks: &Networks) -> Result<NetworkClient, Error> {
        let shared = &networks.0;
        let (plugin, name) = (&self.configuration.plugin, self.name());
        // launchd keeps the address of a helper that ended, where nobody answers.
        let may_run = !cfg!(target_os = "macos") || shared.jobs.is_running(&self.label());
        if may_run
            && let Ok(client) = NetworkClient::connect(&shared.runtime_directory, plugin, name).await
            && let Ok(status) = client.ready(ANSWER).await
        {
            // Containers may be on it: what it is counts more than what was asked for since.
            if let Some(subnets) = Subnets::of(&status) {
                networks.settle(self, subnets).await;
            }
            return Ok(client);
        }
        let held = *self.subnets();
        if let Some(subnets) = held.filter(|_| self.is_held(networks)) {
            return self.start(networks, subnets).await;
        }
        let mut refused = Vec::new();
        loop {
            let subnets = networks.choose(self, &refused).await?;
            match self.start(networks, subnets).await {
                // Other installations look for one at the same time.
                Err(error)
                    if error.code == ErrorCode::Exists
                        && self.configuration.ipv4_subnet.is_none()
                        && refused.len() < CHOICES =>
                {
                    tracing::info!(name, %error, "a subnet was taken meanwhile");
                    refused.push(subnets.ipv4);
                }
                done => return done,
            }
        }
    }

    /// Starts the helper of a network that uses `subnets`.
    ///
    /// # Errors
    /// It does not start; the code is [`ErrorCode::Exists`] when somebody else has the IPv4 subnet.
    async fn start(&self, networks: &Networks, subnets: Subnets) -> Result<NetworkClient, Error> {
        let shared = &networks.0;
        let (plugin, name) = (&self.configuration.plugin, self.name());
        let label = self.label();
        let arguments = self.arguments(subnets, shared.domain.as_deref());
        let endpoint = self.endpoint(networks);
        shared
            .jobs
            .start(&label, plugin, arguments, Some(&endpoint))
            .await?;
        let client = NetworkClient::connect(&shared.runtime_directory, plugin, name).await?;
        match client.ready(START).await {
            Ok(status) => {
                // Before macOS 26 it cannot choose.
                if let Some(subnets) = Subnets::of(&status) {
                    networks.settle(self, subnets).await;
                }
                Ok(client)
            }
            Err(error) => {
                shared.jobs.remove(&label).await;
                if error.code != ErrorCode::Interrupted {
                    return Err(error);
                }
                let log = shared.jobs.log_file(&label);
                let text = format!(
                    "{plugin} of network {name} ended unexpectedly, see {}",
                    log.display()
                );
                Err(Error::internal(text))
            }
        }
    }

    /// Whether the network is there although its helper is not: containers may be on it, and it stays what it is.
    fn is_held(&self, networks: &Networks) -> bool {
        let service = services::network_holder(self.name());
        let endpoint = Endpoint::new(&networks.0.runtime_directory, &service);
        UnixStream::connect(endpoint.socket_path()).is_ok()
    }

    fn arguments(&self, subnets: Subnets, domain: Option<&str>) -> Vec<String> {
        let mut arguments = vec!["start".to_owned()];
        let mut add = |option: &str, value: &str| arguments.extend([option.to_owned(), value.to_owned()]);
        add("--id", self.name());
        add("--mode", self.configuration.mode.as_str());
        add("--subnet", &subnets.ipv4.to_string());
        add("--subnet-v6", &subnets.ipv6.to_string());
        if let Some(domain) = domain {
            add("--domain", domain);
        }
        arguments
    }
}

/// Starts the network's helper whenever there is none.
async fn keep_running(networks: Networks, network: Arc<Kept>) {
    let name = network.name();
    let mut pause = PAUSES.0;
    loop {
        let since = Instant::now();
        match network.connect(&networks).await {
            Ok(client) => {
                tracing::debug!(name, "network is up");
                network.state.send_replace(State::Up);
                client.closed().await;
                tracing::warn!(name, "a network's helper ended");
                network.state.send_replace(State::Starting);
            }
            Err(error) => {
                tracing::error!(name, %error, "failed to start a network");
                network.state.send_replace(State::Failed(error));
            }
        }
        if since.elapsed() > PAUSES.1 {
            pause = PAUSES.0;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = network.retry.notified() => {}
        }
        pause = (pause * 2).min(PAUSES.1);
        network.state.send_replace(State::Starting);
    }
}
