//! Where the time of a request went, for `--debug`.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Named phases in the order in which they ended, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases(pub Vec<Phase>);

/// One phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What was done.
    pub name: String,
    /// How long it took in milliseconds.
    pub milliseconds: f64,
}

impl Phases {
    /// Adds a phase.
    pub fn push(&mut self, name: &str, took: Duration) {
        self.0.push(Phase {
            name: name.to_owned(),
            milliseconds: took.as_secs_f64() * 1e3,
        });
    }

    /// Adds the phases of a request that was made on the way.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

/// Measures phases one after the other.
#[derive(Debug)]
pub struct Stopwatch {
    phases: Phases,
    last: Instant,
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self {
            phases: Phases::default(),
            last: Instant::now(),
        }
    }
}

impl Stopwatch {
    /// Ends the phase `name`; the next one begins.
    pub fn lap(&mut self, name: &str) {
        let now = Instant::now();
        self.phases.push(name, now - self.last);
        self.last = now;
    }

    /// Adds phases that somebody else measured since the last lap; the next one begins.
    pub fn absorb(&mut self, phases: Phases) {
        self.phases.extend(phases);
        self.last = Instant::now();
    }

    /// What was measured.
    pub fn finish(self) -> Phases {
        self.phases
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_keep_their_order() {
        let mut watch = Stopwatch::default();
        watch.lap("first");
        watch.absorb(Phases(vec![Phase {
            name: "inner".to_owned(),
            milliseconds: 1.5,
        }]));
        watch.lap("last");
        let names: Vec<String> = watch.finish().0.into_iter().map(|phase| phase.name).collect();
        assert_eq!(names, ["first", "inner", "last"]);
    }
}
