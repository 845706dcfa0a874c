//! The rate of the host's time stamp counter.

use std::time::{Duration, Instant};

/// Two readings this far apart tell the rate to about 20 parts per million.
const APART: Duration = Duration::from_millis(4);

/// A moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    at: Instant,
    ticks: u64,
}

impl Reading {
    /// Reads both clocks. `None` on processors without a counter.
    pub(super) fn now() -> Option<Self> {
        // Of a few tries, the one that was least disturbed between its two clock readings.
        (0..5)
            .filter_map(|_| {
                let before = Instant::now();
                let ticks = ticks()?;
                let spent = before.elapsed();
                Some((
                    spent,
                    Self {
                        at: before + spent / 2,
                        ticks,
                    },
                ))
            })
            .min_by_key(|(spent, _)| *spent)
            .map(|(_, reading)| reading)
    }

    /// The counter's rate in kHz. Returns at once when this reading is a few milliseconds old, else sleeps until it is.
    pub(super) fn khz(self) -> Option<u64> {
        if let Some(early) = APART.checked_sub(self.at.elapsed()) {
            std::thread::sleep(early);
        }
        let now = Self::now()?;
        let ticks = u128::from(now.ticks.checked_sub(self.ticks)?);
        u64::try_from(ticks * 1_000_000 / (now.at - self.at).as_nanos()).ok()
    }
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> Option<u64> {
    // SAFETY: every x86-64 processor has the instruction, and Linux never forbids it to a process that did not ask.
    Some(unsafe { core::arch::x86_64::_rdtsc() })
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> Option<u64> {
    None
}

#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_steady() {
        let rates: Vec<_> = (0..5).map(|_| Reading::now().unwrap().khz().unwrap()).collect();
        let (least, most) = (rates.iter().min().unwrap(), rates.iter().max().unwrap());
        assert!(*least > 100_000, "{rates:?}");
        assert!(
            (most - least) * 1000 < *least,
            "{rates:?} differ by more than one in a thousand"
        );
    }
}
