//! A bound for the connections of a container's published ports, so that descriptors never run out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections at a time, whatever the limits of the process are.
const MOST: usize = 8192;
/// Descriptors of one connection.
const DESCRIPTORS: u64 = 2;
/// Descriptors for everything else: listeners, the virtual machine, processes.
const RESERVED: u64 = 256;
/// Descriptors that a process can have everywhere; macOS calls its limit endless and then refuses more.
const EVERYWHERE: u64 = 10_240;

/// Lets this process have as many descriptors as it can without asking, and returns how many that are.
pub fn raise_descriptor_limit() -> u64 {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(EVERYWHERE);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, wanted, "failed to raise the limit of open files");
        }
    }
    getrlimit(Resource::Nofile).current.unwrap_or(wanted)
}

/// Lets so many connections in, and says so when it is full.
#[derive(Debug)]
pub(crate) struct Gate {
    free: Arc<Semaphore>,
    limit: usize,
    said: AtomicBool,
}

impl Gate {
    /// As many as this process has descriptors for.
    pub(crate) fn new() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(EVERYWHERE);
        Self::of(connections(descriptors))
    }

    fn of(limit: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(limit)),
            limit,
            said: AtomicBool::new(false),
        }
    }

    /// Waits for a place. It is free again when the permit is dropped.
    pub(crate) async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            self.said.store(false, Ordering::Relaxed);
            return Some(permit);
        }
        if !self.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                limit = self.limit,
                "published ports have as many connections as this process can hold; further ones wait"
            );
        }
        // It is never closed.
        Arc::clone(&self.free).acquire_owned().await.ok()
    }
}

/// How many connections fit into so many descriptors.
fn connections(descriptors: u64) -> usize {
    let fit = descriptors.saturating_sub(RESERVED) / DESCRIPTORS;
    usize::try_from(fit).unwrap_or(MOST).clamp(16, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_connections_fit_into_usual_limits() {
        assert_eq!(connections(1024), 384);
        assert_eq!(connections(EVERYWHERE), 4992);
        assert_eq!(connections(1 << 20), MOST);
        assert_eq!(connections(0), 16);
    }

    #[tokio::test]
    async fn the_gate_opens_when_somebody_leaves() {
        let gate = Gate::of(1);
        let first = gate.enter().await;
        let full = tokio::time::timeout(std::time::Duration::from_millis(1), gate.enter()).await;
        assert!(full.is_err());
        drop(first);
        assert!(gate.enter().await.is_some());
    }
}
