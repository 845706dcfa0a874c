//! What happened to containers, for those who watch. The last events are kept, so that nobody misses one between two
//! questions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use container_client::api::{EventsReply, EventsRequest};
use container_resource::event::{Action, Event, EventKind};
use container_resource::time::Timestamp;
use tokio::sync::watch;

use super::Containers;
use super::container::Container;

/// How many events are kept.
const KEPT: usize = 4096;

/// The last events.
#[derive(Debug, Default)]
pub(super) struct Events {
    kept: Mutex<VecDeque<Event>>,
    /// How many there have been.
    count: watch::Sender<u64>,
}

impl Events {
    fn kept(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, event: Event) {
        let mut kept = self.kept();
        kept.push_back(event);
        if kept.len() > KEPT {
            kept.pop_front();
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// The events that are kept and came after the first `seen`; waits for one if there is none.
    async fn after(&self, seen: Option<u64>) -> EventsReply {
        let mut count = self.count.subscribe();
        if let Some(seen) = seen {
            // The sender is part of `self` and cannot be gone.
            let _ = count.wait_for(|count| *count != seen).await;
        }
        let kept = self.kept();
        let count = *self.count.borrow();
        let first = count - kept.len() as u64;
        // A number that was never given is that of an earlier server.
        let seen = seen.filter(|seen| *seen <= count).unwrap_or(0);
        let skip = usize::try_from(seen.saturating_sub(first)).unwrap_or(usize::MAX);
        EventsReply {
            events: kept.iter().skip(skip).cloned().collect(),
            seen: count,
        }
    }
}

impl Containers {
    /// The events after those that the caller has seen, as soon as there are any.
    pub(crate) async fn events(&self, request: EventsRequest) -> EventsReply {
        self.0.events.after(request.seen).await
    }

    /// Tells those who watch what happened to `container`.
    pub(super) fn tell(&self, container: &Container, action: Action, attribute: Option<(&str, String)>) {
        let image = container.record().configuration.image.reference.clone();
        let attributes = [("image", image)].into_iter().chain(attribute);
        self.0.events.add(Event {
            time: Timestamp::now(),
            kind: EventKind::Container,
            id: container.id.clone(),
            action,
            attributes: BTreeMap::from_iter(attributes.map(|(key, value)| (key.to_owned(), value))),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn event(number: usize) -> Event {
        Event {
            time: Timestamp::UNIX_EPOCH,
            kind: EventKind::Container,
            id: number.to_string(),
            action: Action::Start,
            attributes: BTreeMap::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_misses_or_repeats_one() {
        let events = Events::default();
        assert_eq!(events.after(None).await.seen, 0);
        let nothing = tokio::time::timeout(Duration::from_secs(1), events.after(Some(0))).await;
        assert!(nothing.is_err(), "there is nothing yet");
        events.add(event(0));
        events.add(event(1));
        let reply = events.after(Some(1)).await;
        assert_eq!((reply.seen, reply.events), (2, vec![event(1)]));
        for number in 2..KEPT + 10 {
            events.add(event(number));
        }
        let reply = events.after(Some(2)).await;
        assert_eq!((reply.events.len(), &reply.events[0]), (KEPT, &event(10)));
        let reply = events.after(Some(reply.seen - 1)).await;
        assert_eq!(reply.events, [event(KEPT + 9)]);
        assert_eq!(events.after(Some(u64::MAX)).await.events.len(), KEPT);
    }
}
