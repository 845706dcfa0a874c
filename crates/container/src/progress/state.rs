//! How far a command is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use container_ipc::ProgressEvent;

/// The speed is that of the last seconds.
const SPEED_WINDOW: Duration = Duration::from_secs(3);

/// Everything that a line can show.
#[derive(Debug)]
pub(super) struct State {
    pub(super) description: String,
    pub(super) sub_description: String,
    pub(super) items_name: String,
    pub(super) tasks: i64,
    pub(super) total_tasks: i64,
    pub(super) items: i64,
    pub(super) total_items: Option<i64>,
    pub(super) size: i64,
    pub(super) total_size: Option<i64>,
    pub(super) finished: bool,
    samples: VecDeque<(Instant, i64)>,
}

impl State {
    pub(super) fn new(total_tasks: i64) -> Self {
        Self {
            description: String::new(),
            sub_description: String::new(),
            items_name: String::new(),
            tasks: 0,
            total_tasks,
            items: 0,
            total_items: None,
            size: 0,
            total_size: None,
            finished: false,
            samples: VecDeque::new(),
        }
    }

    /// Nothing has been said yet.
    pub(super) fn is_empty(&self) -> bool {
        self.description.is_empty()
    }

    /// The next step: the counters begin anew.
    pub(super) fn step(&mut self, description: &str) {
        let (tasks, total) = (self.tasks + 1, self.total_tasks);
        *self = Self::new(total);
        self.tasks = tasks;
        self.description = description.to_owned();
    }

    pub(super) fn finish(&mut self) {
        self.finished = true;
        self.tasks = self.total_tasks;
    }

    pub(super) fn apply(&mut self, event: ProgressEvent) {
        let text = |into: &mut String, text: Option<String>| {
            if let Some(text) = text {
                *into = text;
            }
        };
        text(&mut self.description, event.description);
        text(&mut self.sub_description, event.sub_description);
        text(&mut self.items_name, event.items_name);
        count(&mut self.tasks, event.set_tasks, event.add_tasks);
        count(
            &mut self.total_tasks,
            event.set_total_tasks,
            event.add_total_tasks,
        );
        count(&mut self.items, event.set_items, event.add_items);
        count_total(
            &mut self.total_items,
            event.set_total_items,
            event.add_total_items,
        );
        count(&mut self.size, event.set_size, event.add_size);
        count_total(&mut self.total_size, event.set_total_size, event.add_total_size);
    }

    /// Percent done, by size when that is known, else by items.
    pub(super) fn percent(&self) -> Option<i64> {
        let (value, total) = match (self.total_size, self.total_items) {
            (Some(total), _) => (self.size, total),
            (None, Some(total)) => (self.items, total),
            (None, None) => return None,
        };
        (total > 0).then(|| (value.clamp(0, total) * 100 / total).min(100))
    }

    /// Bytes per second.
    pub(super) fn speed(&mut self, now: Instant) -> i64 {
        self.samples.push_back((now, self.size));
        while self.samples.len() > 2
            && self
                .samples
                .front()
                .is_some_and(|(at, _)| now - *at > SPEED_WINDOW)
        {
            self.samples.pop_front();
        }
        let (Some((first, old)), Some((last, new))) = (self.samples.front(), self.samples.back()) else {
            return 0;
        };
        let milliseconds = i64::try_from((*last - *first).as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        (new - old).max(0).saturating_mul(1000) / milliseconds
    }
}

fn count(into: &mut i64, set: Option<i64>, add: Option<i64>) {
    *into = set.unwrap_or(*into).saturating_add(add.unwrap_or(0));
}

fn count_total(into: &mut Option<i64>, set: Option<i64>, add: Option<i64>) {
    if set.is_some() || add.is_some() {
        let mut total = into.unwrap_or(0);
        count(&mut total, set, add);
        *into = Some(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_set_and_add() {
        let mut state = State::new(6);
        state.step("Fetching image");
        state.apply(ProgressEvent {
            set_total_size: Some(200),
            add_size: Some(30),
            ..ProgressEvent::default()
        });
        state.apply(ProgressEvent {
            add_total_size: Some(100),
            add_size: Some(45),
            ..ProgressEvent::default()
        });
        assert_eq!(
            (state.size, state.total_size, state.percent()),
            (75, Some(300), Some(25))
        );
        state.step("Unpacking image");
        assert_eq!(
            (state.tasks, state.total_tasks, state.size, state.percent()),
            (2, 6, 0, None)
        );
    }

    #[test]
    fn speed_is_recent() {
        let mut state = State::new(1);
        let start = Instant::now();
        state.speed(start);
        state.size = 1000;
        assert_eq!(state.speed(start + Duration::from_secs(1)), 1000);
        assert_eq!(state.speed(start + Duration::from_secs(60)), 0);
    }

    #[test]
    fn percent_needs_a_total() {
        let mut state = State::new(1);
        assert_eq!(state.percent(), None);
        state.total_items = Some(0);
        assert_eq!(state.percent(), None);
        (state.items, state.total_items) = (7, Some(5));
        assert_eq!(state.percent(), Some(100));
    }
}
