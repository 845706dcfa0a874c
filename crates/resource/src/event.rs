//! What happened to containers. An addition to Apple's tool; the names of actions are those that other tools use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub time: Timestamp,
    /// What it happened to.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The container's id.
    pub id: String,
    /// What happened.
    pub action: Action,
    /// More about it: `image` always, `exitCode` of [`Action::Die`], `newId` of [`Action::Rename`],
    /// `healthStatus` of [`Action::HealthStatus`].
    pub attributes: BTreeMap<String, String>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A container.
    Container,
}

/// What happened to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was created.
    Create,
    /// Its process was started.
    Start,
    /// Its process ended, and its virtual machine with it.
    Die,
    /// It was deleted.
    Destroy,
    /// Its processes were frozen.
    Pause,
    /// They go on.
    Unpause,
    /// It has another id.
    Rename,
    /// Labels or restart policy changed.
    Update,
    /// Its health check says something else than before.
    #[serde(rename = "health_status")]
    HealthStatus,
}

impl Action {
    /// The name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Die => "die",
            Self::Destroy => "destroy",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::HealthStatus => "health_status",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        let actions = [
            Action::Create,
            Action::Start,
            Action::Die,
            Action::Destroy,
            Action::Pause,
            Action::Unpause,
            Action::Rename,
            Action::Update,
            Action::HealthStatus,
        ];
        for action in actions {
            assert_eq!(serde_json::to_value(action).ok(), Some(action.name().into()));
        }
    }
}
