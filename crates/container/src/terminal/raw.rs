//! Raw mode: bytes go to the container as they are typed, and the terminal gets its modes back whatever happens.
//!
//! The modes to restore are kept in a global, because three ways out of the process never drop the guard: a panic
//! (release builds abort), a signal, and `exit` from deep inside.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The modes that standard input had before.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);

/// Standard input's terminal is raw while this lives.
#[derive(Debug)]
pub struct RawMode(());

impl RawMode {
    /// Makes the terminal on standard input raw.
    ///
    /// # Errors
    /// Standard input is not a terminal.
    pub fn enter() -> io::Result<Self> {
        static HOOK: Once = Once::new();
        let before = tcgetattr(stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        HOOK.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                report(info);
            }));
        });
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(()))
    }

    /// Makes the terminal raw again: the shell reset it while this process was stopped.
    pub fn resume(&self) {
        let Ok(mut modes) = tcgetattr(stdin()) else { return };
        modes.make_raw();
        // A terminal that has gone needs no modes.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back the modes it had before [`RawMode::enter`], if that was called.
pub fn restore() {
    // In a panic hook the lock may be held by the panicking thread itself.
    let Ok(mut saved) = SAVED.try_lock() else { return };
    if let Some(modes) = saved.take() {
        let _ = tcsetattr(stdin(), OptionalActions::Now, &modes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_raw_mode_there_is_nothing_to_restore() {
        restore();
        assert!(SAVED.lock().unwrap_or_else(PoisonError::into_inner).is_none());
    }
}
