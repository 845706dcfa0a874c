//! Modes of the terminal on standard input: raw for containers, silent for passwords. It gets its own modes back
//! whatever happens.
//!
//! The modes to restore are kept in a global, because three ways out of the process never drop the guard: a panic
//! (release builds abort), a signal, and `exit` from deep inside.

use std::io;
use std::sync::{Mutex, Once, PoisonError};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

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
        change(OptionalActions::Now, Termios::make_raw)?;
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

/// What is typed on standard input's terminal is not shown while this lives.
#[derive(Debug)]
pub struct Silence(());

impl Silence {
    /// Stops showing what is typed. What was typed before, for whatever that was meant, is forgotten.
    ///
    /// # Errors
    /// Standard input is not a terminal.
    pub fn begin() -> io::Result<Self> {
        change(OptionalActions::Flush, |modes| {
            modes.local_modes.remove(LocalModes::ECHO);
        })?;
        Ok(Self(()))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        restore();
    }
}

/// Changes the modes of the terminal on standard input, keeping those that it had.
fn change(when: OptionalActions, change: impl FnOnce(&mut Termios)) -> io::Result<()> {
    static HOOK: Once = Once::new();
    let before = tcgetattr(stdin())?;
    let mut modes = before.clone();
    change(&mut modes);
    *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    HOOK.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            report(info);
        }));
    });
    tcsetattr(stdin(), when, &modes)?;
    Ok(())
}

/// Gives the terminal back the modes it had before [`RawMode::enter`] or [`Silence::begin`], if one was called.
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
