//! Which containers there are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use container_ipc::Error;
use container_resource::{ContainerConfiguration, ExitStatus};

use super::container::Container;

/// How many ends of deleted containers are remembered.
const REMEMBERED: usize = 256;

/// The containers by id. Nothing waits while it is locked.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_id: BTreeMap<String, Entry>,
    /// How containers ended that were deleted on their end (`--rm`): whoever started one may ask late.
    ended: VecDeque<(String, ExitStatus)>,
}

#[derive(Debug)]
enum Entry {
    /// Somebody is creating it; these are its names on its networks.
    Reserved(Vec<String>),
    Stored(Arc<Container>),
}

impl Table {
    /// The container `id`.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Container>> {
        match self.entries().by_id.get(id) {
            Some(Entry::Stored(container)) => Some(Arc::clone(container)),
            _ => None,
        }
    }

    /// Every container, ordered by id.
    pub(crate) fn all(&self) -> Vec<Arc<Container>> {
        let entries = self.entries();
        let stored = entries.by_id.values().filter_map(|entry| match entry {
            Entry::Stored(container) => Some(Arc::clone(container)),
            Entry::Reserved(_) => None,
        });
        stored.collect()
    }

    /// Takes an id and the names that `configuration` asks for; they are free again when the reservation is dropped.
    ///
    /// # Errors
    /// The id or one of the names belongs to another container, whether it runs or not.
    pub(crate) fn reserve(&self, configuration: &ContainerConfiguration) -> Result<Reservation<'_>, Error> {
        let id = &configuration.id;
        let mut entries = self.entries();
        if entries.by_id.contains_key(id) {
            return Err(Error::exists(format!("container already exists: {id}")));
        }
        let wanted = hostnames(configuration);
        let mut taken: Vec<&String> = wanted
            .iter()
            .filter(|name| entries.by_id.values().any(|entry| entry.has_hostname(name)))
            .collect();
        taken.sort();
        taken.dedup();
        if !taken.is_empty() {
            return Err(Error::exists(format!("hostname(s) already exist: {taken:?}")));
        }
        entries.by_id.insert(id.clone(), Entry::Reserved(wanted));
        Ok(Reservation {
            table: self,
            id: Some(id.clone()),
        })
    }

    /// Adds a container that was found on disk.
    pub(crate) fn insert(&self, container: Container) -> Arc<Container> {
        let container = Arc::new(container);
        let entry = Entry::Stored(Arc::clone(&container));
        self.entries().by_id.insert(container.id.clone(), entry);
        container
    }

    /// Forgets a container, but not how it ended.
    pub(crate) fn remove(&self, container: &Container) {
        let mut entries = self.entries();
        entries.by_id.remove(&container.id);
        if let Some(exit) = container.exit() {
            entries.ended.retain(|(id, _)| *id != container.id);
            entries.ended.push_back((container.id.clone(), exit));
            if entries.ended.len() > REMEMBERED {
                entries.ended.pop_front();
            }
        }
    }

    /// How the container `id` ended, which was deleted not long ago.
    pub(crate) fn remembered(&self, id: &str) -> Option<ExitStatus> {
        let entries = self.entries();
        entries
            .ended
            .iter()
            .find(|(ended, _)| ended == id)
            .map(|(_, exit)| *exit)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn has_hostname(&self, name: &str) -> bool {
        match self {
            Self::Reserved(names) => names.iter().any(|taken| taken == name),
            Self::Stored(container) => {
                let record = container.record();
                let networks = &record.configuration.networks;
                networks.iter().any(|network| network.options.hostname == name)
            }
        }
    }
}

/// The right to store a container under an id.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    table: &'a Table,
    id: Option<String>,
}

impl Reservation<'_> {
    /// Stores the container; from now on everybody sees it.
    pub(crate) fn fill(mut self, container: Container) -> Arc<Container> {
        self.id = None;
        self.table.insert(container)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.table.entries().by_id.remove(&id);
        }
    }
}

fn hostnames(configuration: &ContainerConfiguration) -> Vec<String> {
    configuration
        .networks
        .iter()
        .map(|network| network.options.hostname.clone())
        .collect()
}
