//! Networks: which there are, and the helper of each (behaviour reference, section 15).

mod host;
mod kept;
mod store;
mod subnets;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use container_client::api::NetworkCreateRequest;
use container_client::network::uplink_interface;
use container_client::services;
use container_config::SystemConfiguration;
use container_ipc::Error;
use container_resource::name::is_network_name;
use container_resource::network::{BUILTIN_LABEL, DEFAULT_NETWORK};
use container_resource::{Network, NetworkConfiguration, NetworkMode, label, time};

use self::kept::Kept;
use self::subnets::{Subnets, Used, Wanted};
use crate::jobs::Jobs;
use crate::whole;
use crate::work::blocking;

/// The directory below the application root that holds the networks.
const DIRECTORY: &str = "networks";
/// What the name of every network helper's program begins with.
const PLUGIN_PREFIX: &str = "container-network-";

/// The networks of one installation. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Networks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    app_root: PathBuf,
    runtime_directory: PathBuf,
    jobs: Jobs,
    /// The local domain of containers' names.
    domain: Option<String>,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    networks: BTreeMap<String, Arc<Kept>>,
    /// Networks that are being created or deleted.
    pending: BTreeSet<String>,
    /// Containers that are being created, each with a network that it uses.
    expected: Vec<(String, String)>,
}

impl Networks {
    /// The networks below `app_root`, and the built-in one. Blocks; no helper is started before [`run`](Self::run).
    ///
    /// # Errors
    /// The directory cannot be created, read or written.
    pub(crate) fn open(
        app_root: &Path,
        runtime_directory: &Path,
        jobs: Jobs,
        configuration: &SystemConfiguration,
    ) -> io::Result<Self> {
        let directory = app_root.join(DIRECTORY);
        let mut stored = store::load(&directory)?;
        let at = stored
            .iter()
            .position(|(network, _)| network.name == DEFAULT_NETWORK);
        let (before, subnets) = at.map(|at| stored.remove(at)).unzip();
        let builtin = builtin(before, configuration);
        store::store(&directory, &builtin)?;
        // The first: it may want a subnet that another one could get otherwise.
        stored.insert(0, (builtin, subnets.flatten()));
        let networks = Self(Arc::new(Shared {
            app_root: app_root.to_owned(),
            runtime_directory: runtime_directory.to_owned(),
            jobs,
            domain: configuration.dns.domain.clone(),
            table: Mutex::default(),
        }));
        // Before any choice, so that nobody gets what another one has.
        for (network, subnets) in stored {
            let kept = Kept::new(network, subnets);
            networks
                .table()
                .networks
                .insert(kept.name().to_owned(), Arc::new(kept));
        }
        for network in networks.all() {
            // Overlaps with the host are looked for when the helper is started: its own routes may be there still.
            if let Err(error) = networks.choose_among(&network, Vec::new()) {
                tracing::error!(name = network.name(), %error, "a network has no subnet");
            }
        }
        Ok(networks)
    }

    /// Starts the helpers, or takes over those that run, and keeps them running as long as this process lives.
    pub(crate) fn run(&self) {
        for network in self.all() {
            network.keep(self);
        }
    }

    /// Makes a network and starts its helper.
    ///
    /// # Errors
    /// The name is taken or no name, something asked for is not to be had, or the helper does not start; nothing is
    /// left behind then.
    pub(crate) async fn create(&self, request: NetworkCreateRequest) -> Result<Network, Error> {
        let configuration = self.check(request)?;
        let wanted = Wanted::of(&configuration)?;
        let host = self.host().await?;
        let used = Used {
            host: host.clone(),
            ..Used::default()
        };
        subnets::refuse_host(wanted, &used)?;
        let name = configuration.name.clone();
        let network = Arc::new(Kept::new(configuration, None));
        let pending = self.reserve(&network)?;
        let made = self.make(&network, host).await;
        if let Err(error) = made {
            network.end(self).await;
            self.table().networks.remove(&name);
            let _ = self.remove_directory(&name).await;
            return Err(error);
        }
        drop(pending);
        tracing::info!(name, "created network");
        network.resource().ok_or_else(|| not_found(&name))
    }

    async fn make(
        &self,
        network: &Arc<Kept>,
        host: Vec<container_resource::subnet::Ipv4Net>,
    ) -> Result<(), Error> {
        let subnets = self.choose_among(network, host)?;
        let (directory, configuration) = (self.directory(), network.configuration.clone());
        blocking(move || {
            store::create(&directory, &configuration, &subnets).map_err(|error| {
                Error::internal(format!(
                    "failed to create network {}: {error}",
                    configuration.name
                ))
            })
        })
        .await?;
        network.keep(self);
        network.ready().await
    }

    /// Every network, ordered by name. No helper is asked.
    pub(crate) fn list(&self) -> Vec<Network> {
        let table = self.table();
        let networks = table
            .networks
            .iter()
            .filter(|(name, _)| !table.pending.contains(*name));
        networks.filter_map(|(_, network)| network.resource()).collect()
    }

    /// Deletes a network unless containers, running or not, refer to it, whose ids `referring` gives.
    ///
    /// # Errors
    /// There is none, it is built in, or it is referred to.
    pub(crate) async fn delete(
        &self,
        name: &str,
        referring: impl Fn(&str) -> Vec<String>,
    ) -> Result<(), Error> {
        let (network, pending) = {
            let mut table = self.table();
            let network = table.find(name)?;
            if network.configuration.is_builtin() {
                return Err(Error::invalid_argument(format!(
                    "cannot delete builtin network: {name}"
                )));
            }
            // The table is locked, so that no container can begin to use it meanwhile.
            let mut ids = referring(name);
            let expected = table.expected.iter().filter(|(_, network)| network == name);
            ids.extend(expected.map(|(id, _)| id.clone()));
            ids.sort();
            ids.dedup();
            if !ids.is_empty() {
                let text = format!(
                    "cannot delete subnet {name} with referring containers: {}",
                    ids.join(", ")
                );
                return Err(Error::invalid_state(text));
            }
            table.pending.insert(name.to_owned());
            (
                network,
                Pending {
                    networks: self,
                    name: name.to_owned(),
                },
            )
        };
        network.end(self).await;
        let removed = self.remove_directory(name).await;
        self.table().networks.remove(name);
        drop(pending);
        tracing::info!(name, "deleted network");
        removed
    }

    /// Waits until the network `name` serves; gives the program of its helper.
    ///
    /// # Errors
    /// There is none, or it cannot be started.
    pub(crate) async fn ready(&self, name: &str) -> Result<String, Error> {
        let network = self.table().find(name)?;
        network.ready().await?;
        Ok(network.configuration.plugin.clone())
    }

    /// Keeps `names` from being deleted while the container `id` is created that uses them.
    ///
    /// # Errors
    /// `network <n> not found`.
    pub(crate) fn expect<'a>(
        &self,
        id: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Result<Expectation<'_>, Error> {
        let mut table = self.table();
        let mut added = Vec::new();
        for name in names {
            table.find(name)?;
            added.push((id.to_owned(), name.to_owned()));
        }
        table.expected.extend(added);
        drop(table);
        Ok(Expectation {
            networks: self,
            id: id.to_owned(),
        })
    }

    /// What a new network is, if everything that was asked for makes sense.
    fn check(&self, request: NetworkCreateRequest) -> Result<NetworkConfiguration, Error> {
        let NetworkCreateRequest {
            name,
            mode,
            ipv4_subnet,
            ipv6_subnet,
            labels,
            plugin,
            options,
        } = request;
        if name == "none" {
            return Err(Error::invalid_argument("network none is not a valid name"));
        }
        if !is_network_name(&name) {
            return Err(Error::invalid_argument(format!("invalid network name: {name}")));
        }
        label::check(&labels).map_err(|error| Error::invalid_argument(error.to_string()))?;
        let (role, builtin) = BUILTIN_LABEL;
        if labels.get(role).is_some_and(|value| value == builtin) {
            return Err(Error::invalid_argument(format!(
                "label {role}={builtin} is kept for the network default"
            )));
        }
        if !plugin.starts_with(PLUGIN_PREFIX) || self.0.jobs.program(&plugin).is_none() {
            return Err(Error::not_found(format!(
                "unable to locate network plugin {plugin}"
            )));
        }
        Ok(NetworkConfiguration {
            name,
            creation_date: time::now(),
            mode,
            ipv4_subnet,
            ipv6_subnet,
            labels,
            plugin,
            options,
        })
    }

    fn reserve(&self, network: &Arc<Kept>) -> Result<Pending<'_>, Error> {
        let name = network.name();
        let mut table = self.table();
        if table.pending.contains(name) {
            return Err(pending(name));
        }
        if table.networks.contains_key(name) {
            return Err(Error::exists(format!("network {name} already exists")));
        }
        table.pending.insert(name.to_owned());
        table.networks.insert(name.to_owned(), Arc::clone(network));
        Ok(Pending {
            networks: self,
            name: name.to_owned(),
        })
    }

    /// Gives a network that is about to be started its subnets: others than before if the host uses those now, and none
    /// of `refused`.
    ///
    /// # Errors
    /// What it asks for is taken, or nothing is free.
    async fn choose(
        &self,
        network: &Kept,
        refused: &[container_resource::subnet::Ipv4Net],
    ) -> Result<Subnets, Error> {
        let mut host = self.host().await?;
        host.extend(refused);
        let before = *network.subnets();
        let subnets = self.choose_among(network, host)?;
        if before != Some(subnets) {
            tracing::info!(name = network.name(), ipv4 = %subnets.ipv4, ipv6 = %subnets.ipv6, "chose subnets");
        }
        self.store_subnets(network, subnets).await;
        Ok(subnets)
    }

    /// A helper that runs says what it serves.
    async fn settle(&self, network: &Kept, subnets: Subnets) {
        let before = network.subnets().replace(subnets);
        if before != Some(subnets) {
            self.store_subnets(network, subnets).await;
        }
    }

    /// Without them written down, others are chosen next time.
    async fn store_subnets(&self, network: &Kept, subnets: Subnets) {
        let (directory, name) = (self.directory(), network.name().to_owned());
        let stored = blocking(move || Ok(store::store_subnets(&directory, &name, &subnets)?));
        if let Err(error) = stored.await {
            tracing::error!(name = network.name(), %error, "failed to write down a network's subnets");
        }
    }

    fn choose_among(
        &self,
        network: &Kept,
        host: Vec<container_resource::subnet::Ipv4Net>,
    ) -> Result<Subnets, Error> {
        let wanted = Wanted::of(&network.configuration)?;
        // Locked until the choice is made, so that two networks never make the same one.
        let table = self.table();
        let others = table
            .networks
            .values()
            .filter(|other| other.name() != network.name());
        let used = Used {
            networks: others.filter_map(|other| *other.subnets()).collect(),
            host,
        };
        let mut own = network.subnets();
        let subnets = subnets::choose(wanted, *own, &used)?;
        *own = Some(subnets);
        Ok(subnets)
    }

    /// What the host itself uses.
    async fn host(&self) -> Result<Vec<container_resource::subnet::Ipv4Net>, Error> {
        let (own, used): (Vec<_>, Vec<_>) = self
            .table()
            .networks
            .values()
            .map(|network| {
                let subnets = *network.subnets();
                (uplink_interface(&self.0.app_root, network.name()), subnets)
            })
            .unzip();
        let used: Vec<_> = used.into_iter().flatten().map(|subnets| subnets.ipv4).collect();
        blocking(move || Ok(host::networks(&own, &used))).await
    }

    fn directory(&self) -> PathBuf {
        self.0.app_root.join(DIRECTORY)
    }

    async fn remove_directory(&self, name: &str) -> Result<(), Error> {
        let (path, name) = (self.directory().join(name), name.to_owned());
        blocking(move || {
            let removed = whole::take_name(&path)
                .map_err(|error| Error::internal(format!("failed to delete network {name}: {error}")))?;
            whole::remove(&removed);
            Ok(())
        })
        .await
    }

    fn all(&self) -> Vec<Arc<Kept>> {
        let table = self.table();
        let builtin = |network: &&Arc<Kept>| network.configuration.is_builtin();
        let (first, others): (Vec<_>, Vec<_>) = table.networks.values().partition(builtin);
        first.into_iter().chain(others).cloned().collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The network `name`, unless it is being made or deleted.
    fn find(&self, name: &str) -> Result<Arc<Kept>, Error> {
        if self.pending.contains(name) {
            return Err(pending(name));
        }
        self.networks.get(name).cloned().ok_or_else(|| not_found(name))
    }
}

/// A network that is being made or deleted.
#[derive(Debug)]
struct Pending<'a> {
    networks: &'a Networks,
    name: String,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.networks.table().pending.remove(&self.name);
    }
}

/// Networks that a container is going to use.
#[derive(Debug)]
pub(crate) struct Expectation<'a> {
    networks: &'a Networks,
    id: String,
}

impl Drop for Expectation<'_> {
    fn drop(&mut self) {
        self.networks.table().expected.retain(|(id, _)| *id != self.id);
    }
}

/// The network that is always there, as the configuration wants it now.
fn builtin(
    before: Option<NetworkConfiguration>,
    configuration: &SystemConfiguration,
) -> NetworkConfiguration {
    let (key, value) = BUILTIN_LABEL;
    NetworkConfiguration {
        name: DEFAULT_NETWORK.to_owned(),
        creation_date: before.map_or_else(time::now, |before| before.creation_date),
        mode: NetworkMode::Nat,
        ipv4_subnet: configuration.network.subnet.clone(),
        ipv6_subnet: configuration.network.subnetv6.clone(),
        labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        plugin: services::NETWORK_PROGRAM.to_owned(),
        options: BTreeMap::new(),
    }
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("network {name} not found"))
}

fn pending(name: &str) -> Error {
    Error::invalid_state(format!("network {name} has a pending operation"))
}
