//! What the container is doing, as the helper sees it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use container_ipc::{Error, ErrorCode};
use container_ports::Forwarding;
use container_resource::time::Timestamp;
use container_resource::{ContainerState, ContainerStatus, PublishPort};
use tokio::task::JoinSet;

use crate::network::Links;
use crate::process::{Guest, GuestProcess};

/// The steps of a helper's life; there is no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing has happened yet.
    Created,
    /// The virtual machine is starting.
    Booting,
    /// The virtual machine is up or starting for the container's files alone; there will be no process.
    Offline,
    /// The virtual machine is up, the init process is not.
    Booted,
    /// The init process runs.
    Running,
    /// The virtual machine is going down.
    Stopping,
    /// The virtual machine is gone.
    Stopped,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Booting => "booting",
            Self::Offline => "offline",
            Self::Booted => "booted",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        })
    }
}

impl Step {
    fn public(self) -> ContainerState {
        match self {
            Self::Created | Self::Booting | Self::Offline | Self::Stopped => ContainerState::Stopped,
            Self::Booted | Self::Running => ContainerState::Running,
            Self::Stopping => ContainerState::Stopping,
        }
    }
}

/// The changing part of a helper.
#[derive(Debug)]
pub(crate) struct State {
    /// Where in its life it is.
    pub step: Step,
    /// The guest, from boot to the end.
    pub guest: Option<Guest>,
    /// Every process that was created, the init process among them.
    pub processes: HashMap<String, Arc<GuestProcess>>,
    /// The places on networks from boot to the end.
    pub links: Option<Links>,
    /// The published ports from boot to the end.
    pub forwarding: Forwarding,
    /// The published sockets from boot to the end.
    pub relays: JoinSet<()>,
    /// The published ports as they are, if the system chose one.
    pub published_ports: Vec<PublishPort>,
    /// Environment that is new at every start.
    pub environment: BTreeMap<String, String>,
    /// Whether the container's processes are frozen.
    pub frozen: bool,
    /// When the init process started.
    pub started: Option<Timestamp>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            step: Step::Created,
            guest: None,
            processes: HashMap::new(),
            links: None,
            forwarding: Forwarding::default(),
            relays: JoinSet::new(),
            published_ports: Vec::new(),
            environment: BTreeMap::new(),
            frozen: false,
            started: None,
        }
    }
}

impl State {
    /// Goes on to `next`.
    ///
    /// # Errors
    /// The present step is not `expected`.
    pub(crate) fn advance(&mut self, expected: Step, next: Step) -> Result<(), Error> {
        if self.step != expected {
            let text = format!("container expected to be in {expected} state, got: {}", self.step);
            return Err(Error::new(ErrorCode::InvalidState, text));
        }
        self.step = next;
        Ok(())
    }

    /// The guest, for the operation `what`.
    ///
    /// # Errors
    /// `cannot <what>: container is not running`.
    pub(crate) fn running_guest(&self, what: &str) -> Result<Guest, Error> {
        let guest = self
            .guest
            .clone()
            .filter(|_| matches!(self.step, Step::Booted | Step::Running | Step::Stopping));
        guest.ok_or_else(|| {
            Error::new(
                ErrorCode::InvalidState,
                format!("cannot {what}: container is not running"),
            )
        })
    }

    /// The process `id`.
    ///
    /// # Errors
    /// It was never created.
    pub(crate) fn process(&self, id: &str) -> Result<Arc<GuestProcess>, Error> {
        self.processes
            .get(id)
            .cloned()
            .ok_or_else(|| Error::new(ErrorCode::InvalidState, format!("process {id} does not exist")))
    }

    /// What users see.
    pub(crate) fn status(&self) -> ContainerStatus {
        let state = match self.step {
            Step::Running if self.frozen => ContainerState::Paused,
            step => step.public(),
        };
        let links = self.links.as_ref().filter(|_| state.is_up());
        let networks = links.map(|links| links.attachments().to_vec());
        ContainerStatus {
            state,
            networks: networks.unwrap_or_default(),
            published_ports: self.published_ports.clone(),
            started_date: self.started,
            health: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_apples() {
        let mut state = State::default();
        let error = state
            .advance(Step::Booted, Step::Running)
            .err()
            .map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some("container expected to be in booted state, got: created")
        );
        let error = state.running_guest("exec").err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("cannot exec: container is not running"));
        assert!(state.advance(Step::Created, Step::Booting).is_ok());
        assert_eq!(state.status().state, ContainerState::Stopped);
    }
}
