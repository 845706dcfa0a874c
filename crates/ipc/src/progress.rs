//! Progress reports of a running call (behaviour.md 27.8).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::outgoing::Outbox;

/// One step forward. Absent fields mean "unchanged"; `set` replaces a counter, `add` moves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressEvent {
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The part of it that is being done now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_description: Option<String>,
    /// What the items are, in the plural.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items_name: Option<String>,
    /// Tasks finished since the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_tasks: Option<i64>,
    /// Tasks finished so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_tasks: Option<i64>,
    /// Tasks that turned out to be needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_total_tasks: Option<i64>,
    /// Tasks in total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_total_tasks: Option<i64>,
    /// Items finished since the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_items: Option<i64>,
    /// Items finished so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_items: Option<i64>,
    /// Items that turned out to be needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_total_items: Option<i64>,
    /// Items in total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_total_items: Option<i64>,
    /// Bytes done since the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_size: Option<i64>,
    /// Bytes done so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_size: Option<i64>,
    /// Bytes that turned out to be needed as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add_total_size: Option<i64>,
    /// Bytes in total.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_total_size: Option<i64>,
}

impl ProgressEvent {
    fn has_text(&self) -> bool {
        self.description.is_some() || self.sub_description.is_some() || self.items_name.is_some()
    }

    /// Makes this event mean "this one, then `next`".
    fn merge(&mut self, next: ProgressEvent) {
        fn text(into: &mut Option<String>, next: Option<String>) {
            if next.is_some() {
                *into = next;
            }
        }
        fn counter(
            set: &mut Option<i64>,
            add: &mut Option<i64>,
            next_set: Option<i64>,
            next_add: Option<i64>,
        ) {
            if next_set.is_some() {
                *set = next_set;
                *add = None;
            }
            if let Some(more) = next_add {
                *add = Some(add.unwrap_or(0).saturating_add(more));
            }
            if let (Some(base), Some(more)) = (*set, *add) {
                *set = Some(base.saturating_add(more));
                *add = None;
            }
        }
        text(&mut self.description, next.description);
        text(&mut self.sub_description, next.sub_description);
        text(&mut self.items_name, next.items_name);
        counter(
            &mut self.set_tasks,
            &mut self.add_tasks,
            next.set_tasks,
            next.add_tasks,
        );
        counter(
            &mut self.set_total_tasks,
            &mut self.add_total_tasks,
            next.set_total_tasks,
            next.add_total_tasks,
        );
        counter(
            &mut self.set_items,
            &mut self.add_items,
            next.set_items,
            next.add_items,
        );
        counter(
            &mut self.set_total_items,
            &mut self.add_total_items,
            next.set_total_items,
            next.add_total_items,
        );
        counter(
            &mut self.set_size,
            &mut self.add_size,
            next.set_size,
            next.add_size,
        );
        counter(
            &mut self.set_total_size,
            &mut self.add_total_size,
            next.set_total_size,
            next.add_total_size,
        );
    }
}

/// How many events of one call wait for a caller that reads slowly; beyond it they are merged.
const MAX_WAITING: usize = 32;

/// The events of one call that are not written yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    id: u64,
    events: Mutex<VecDeque<ProgressEvent>>,
}

impl Waiting {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Adds an event; true when the writer has to be told, because nothing was waiting before.
    fn push(&self, event: ProgressEvent) -> bool {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let full = events.len() >= MAX_WAITING;
        match events.back_mut() {
            Some(last) if full || !event.has_text() => {
                last.merge(event);
                false
            }
            Some(_) => {
                events.push_back(event);
                false
            }
            None => {
                events.push_back(event);
                true
            }
        }
    }

    /// Takes everything that waits.
    pub(crate) fn take(&self) -> VecDeque<ProgressEvent> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a handler reports how far it is. Cheap to clone; never blocks. Counters reported faster than the
/// caller reads them are added up, so memory stays bounded and no amount is lost.
#[derive(Clone, Debug)]
pub struct Progress(Option<(Arc<Waiting>, Outbox)>);

impl Progress {
    /// Progress that nobody looks at.
    pub fn none() -> Self {
        Self(None)
    }

    pub(crate) fn to_peer(id: u64, outbox: Outbox) -> Self {
        Self(Some((
            Arc::new(Waiting {
                id,
                events: Mutex::default(),
            }),
            outbox,
        )))
    }

    /// Whether anybody looks, for reports that cost something to compute.
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Reports `event`.
    pub fn send(&self, event: ProgressEvent) {
        if let Some((waiting, outbox)) = &self.0
            && waiting.push(event)
        {
            outbox.progress(Arc::clone(waiting));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting() -> Waiting {
        Waiting {
            id: 1,
            events: Mutex::default(),
        }
    }

    #[test]
    fn counters_add_up_and_texts_stay_apart() {
        let queue = waiting();
        let text = |t: &str| ProgressEvent {
            description: Some(t.into()),
            ..Default::default()
        };
        let add = |n| ProgressEvent {
            add_items: Some(n),
            ..Default::default()
        };
        assert!(queue.push(text("one")));
        assert!(!queue.push(add(2)));
        assert!(!queue.push(add(3)));
        assert!(!queue.push(text("two")));
        let events = queue.take();
        assert_eq!(events.len(), 2);
        assert_eq!(
            events[0],
            ProgressEvent {
                add_items: Some(5),
                ..text("one")
            }
        );
        assert_eq!(events[1], text("two"));
        assert!(
            queue.push(add(1)),
            "the writer is told again after it took everything"
        );
    }

    #[test]
    fn set_then_add_is_a_set() {
        let mut event = ProgressEvent {
            add_size: Some(7),
            ..Default::default()
        };
        event.merge(ProgressEvent {
            set_size: Some(10),
            ..Default::default()
        });
        event.merge(ProgressEvent {
            add_size: Some(5),
            ..Default::default()
        });
        assert_eq!(
            event,
            ProgressEvent {
                set_size: Some(15),
                ..Default::default()
            }
        );
    }

    #[test]
    fn texts_without_end_stay_bounded() {
        let queue = waiting();
        for n in 0..1000 {
            queue.push(ProgressEvent {
                description: Some(n.to_string()),
                add_tasks: Some(1),
                ..Default::default()
            });
        }
        let events = queue.take();
        assert_eq!(events.len(), MAX_WAITING);
        assert_eq!(events.iter().filter_map(|e| e.add_tasks).sum::<i64>(), 1000);
        assert_eq!(events.back().unwrap().description.as_deref(), Some("999"));
    }
}
