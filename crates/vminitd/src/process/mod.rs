//! Containers and their processes.

mod container;
mod fixup;
mod lifecycle;
mod namespaces;
mod reaper;
mod stdio;
mod users;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use container::Container;
pub(crate) use reaper::{Exit, Reaper, status_of};
pub(crate) use stdio::Ports;
use stdio::Streams;

use crate::error::{Error, Result, blocking};
use crate::launcher::Launcher;
use crate::transport::Transport;

/// All containers of the virtual machine. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Processes {
    transport: Transport,
    reaper: Reaper,
    launcher: Arc<Launcher>,
    /// `None` stands for a container that is being made or dismantled.
    containers: Arc<Mutex<HashMap<String, Option<Arc<Container>>>>>,
}

/// Names a process: its container and its own identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessName {
    container: String,
    id: String,
}

impl ProcessName {
    /// A name from what requests carry. Without a container the process is a container's first one.
    pub(crate) fn new(id: String, container: Option<String>) -> Result<Self> {
        let container = container
            .filter(|container| !container.is_empty())
            .unwrap_or_else(|| id.clone());
        for name in [&id, &container] {
            // They become names of directories.
            if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\0']) {
                return Err(Error::Invalid(format!("invalid identifier {name:?}")));
            }
        }
        Ok(Self { container, id })
    }

    fn is_init(&self) -> bool {
        self.container == self.id
    }
}

impl Processes {
    pub(crate) fn new(transport: Transport, reaper: Reaper, launcher: Arc<Launcher>) -> Self {
        Self {
            transport,
            reaper,
            launcher,
            containers: Arc::default(),
        }
    }

    /// Connects a process's streams and registers it; a container with its first process.
    pub(crate) async fn create(&self, name: ProcessName, ports: Ports, configuration: Vec<u8>) -> Result<()> {
        if !name.is_init() {
            let container = self.container(&name.container)?;
            let streams = Streams::connect(&self.transport, ports).await?;
            return blocking(move || container.add(&name.id, &configuration, streams)).await;
        }
        let reservation = Reservation::new(self, &name.id)?;
        let streams = Streams::connect(&self.transport, ports).await?;
        let container = blocking(move || Container::create(&name.id, &configuration, streams)).await?;
        reservation.fill(container);
        Ok(())
    }

    /// Runs a process; its process id.
    pub(crate) async fn start(&self, name: &ProcessName) -> Result<i32> {
        let container = self.container(&name.container)?;
        let process = container.process(&name.id)?;
        let inside = if name.is_init() {
            None
        } else {
            Some(container.init().running()?)
        };
        let cgroup = container.open_cgroup(inside.as_deref())?;
        let started = process.start(self.reaper.clone(), Arc::clone(&self.launcher), cgroup, inside);
        // A caller that gives up does not leave a process that is neither started nor not.
        tokio::spawn(started)
            .await
            .unwrap_or_else(|error| Err(Error::Internal(format!("failed to start: {error}"))))
    }

    /// Waits for a process to end.
    pub(crate) async fn wait(&self, name: &ProcessName) -> Result<Exit> {
        let process = self.container(&name.container)?.process(&name.id)?;
        process.wait().await
    }

    /// Sends a signal to a process.
    pub(crate) fn kill(&self, name: &ProcessName, signal: i32) -> Result<()> {
        self.container(&name.container)?.process(&name.id)?.kill(signal)
    }

    /// Sets the size of a process's terminal.
    pub(crate) fn resize(&self, name: &ProcessName, rows: u16, columns: u16) -> Result<()> {
        self.container(&name.container)?
            .process(&name.id)?
            .resize(rows, columns)
    }

    /// Ends a process's standard input.
    pub(crate) fn close_stdin(&self, name: &ProcessName) -> Result<()> {
        self.container(&name.container)?.process(&name.id)?.close_stdin()
    }

    /// Forgets a process; the container with its first one.
    pub(crate) async fn delete(&self, name: &ProcessName) -> Result<()> {
        let container = self.container(&name.container)?;
        container.process(&name.id)?.check_deletable()?;
        if !name.is_init() {
            container.forget(&name.id);
            return Ok(());
        }
        // The identifier is not free before the container is gone.
        if self.lock().insert(name.id.clone(), None).flatten().is_none() {
            return Ok(());
        }
        let dismantled = blocking(move || container.dismantle()).await;
        self.lock().remove(&name.id);
        dismantled
    }

    /// A container by its identifier.
    pub(crate) fn container(&self, id: &str) -> Result<Arc<Container>> {
        let missing = || Error::NotFound(format!("container {id} not found"));
        self.lock().get(id).cloned().flatten().ok_or_else(missing)
    }

    /// What a path below a running container's root is for its processes: their root directory, and the path in it.
    pub(crate) fn view(&self, path: &Path) -> Option<(PathBuf, PathBuf)> {
        self.all().iter().find_map(|container| {
            let inside = path.strip_prefix(container.root()).ok()?;
            let init = container.init().running().ok()?;
            let root = format!("/proc/{}/root", init.pid.as_raw_nonzero());
            Some((root.into(), inside.to_owned()))
        })
    }

    /// Every container, by identifier.
    pub(crate) fn all(&self) -> Vec<Arc<Container>> {
        let mut containers: Vec<_> = self.lock().values().flatten().cloned().collect();
        containers.sort_by(|one, other| one.id().cmp(other.id()));
        containers
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Option<Arc<Container>>>> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an identifier while its container is made. Dropped without a container, it is free again.
struct Reservation {
    processes: Processes,
    id: String,
    filled: bool,
}

impl Reservation {
    fn new(processes: &Processes, id: &str) -> Result<Self> {
        let mut containers = processes.lock();
        if containers.contains_key(id) {
            return Err(Error::Exists(format!("container {id} already exists")));
        }
        containers.insert(id.to_owned(), None);
        drop(containers);
        Ok(Self {
            processes: processes.clone(),
            id: id.to_owned(),
            filled: false,
        })
    }

    fn fill(mut self, container: Container) {
        self.filled = true;
        self.processes
            .lock()
            .insert(self.id.clone(), Some(Arc::new(container)));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.filled {
            self.processes.lock().remove(&self.id);
        }
    }
}
