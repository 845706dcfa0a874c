use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use crate::ExitReason;

/// What is known of a machine's end, for everybody who waits for it.
#[derive(Debug)]
pub(super) struct Life {
    exit: watch::Sender<Option<ExitReason>>,
    /// This side wants the machine to end.
    stopped: AtomicBool,
    /// Why the machine is ended although nobody asked for it.
    verdict: OnceLock<ExitReason>,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            exit: watch::Sender::new(None),
            stopped: AtomicBool::new(false),
            verdict: OnceLock::new(),
        }
    }

    /// From now on the machine's end is what somebody here wanted.
    pub(super) fn ask_to_stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Whether the machine is to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.stopped.load(Ordering::Acquire) || self.verdict.get().is_some()
    }

    /// Why the machine is about to be ended. The first reason counts.
    pub(super) fn condemn(&self, reason: ExitReason) {
        // A later reason is a consequence of the first.
        let _ = self.verdict.set(reason);
    }

    /// The machine is over; `reason` is how it looks to the framework. Only the first call counts.
    pub(super) fn end(&self, reason: ExitReason) {
        let reason = if self.stopped.load(Ordering::Acquire) {
            ExitReason::Stopped
        } else {
            self.verdict.get().cloned().unwrap_or(reason)
        };
        self.exit.send_if_modified(|exit| {
            let first = exit.is_none();
            if first {
                tracing::debug!(%reason, "the machine is over");
                *exit = Some(reason);
            }
            first
        });
    }

    /// Why the machine is over, if it is.
    pub(super) fn over(&self) -> Option<ExitReason> {
        self.exit.borrow().clone()
    }

    /// Resolves when the machine is over.
    pub(super) async fn wait(&self) -> ExitReason {
        let mut exit = self.exit.subscribe();
        match exit.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(reason)) => reason.clone(),
            // The sender is part of `self` and cannot be gone.
            _ => ExitReason::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked() -> ExitReason {
        ExitReason::GuestPanic {
            message: "no init".to_owned(),
            boot_log: String::new(),
        }
    }

    #[tokio::test]
    async fn the_first_end_counts_for_everybody() {
        let life = Life::new();
        assert_eq!(life.over(), None);
        assert!(!life.is_to_end());
        life.end(ExitReason::GuestShutdown);
        life.ask_to_stop();
        life.end(ExitReason::Stopped);
        assert_eq!(life.over(), Some(ExitReason::GuestShutdown));
        assert_eq!(life.wait().await, ExitReason::GuestShutdown);
    }

    #[test]
    fn a_panic_is_why_the_machine_was_stopped() {
        let life = Life::new();
        life.condemn(panicked());
        life.condemn(ExitReason::GuestReset);
        assert!(life.is_to_end());
        life.end(ExitReason::Stopped);
        assert_eq!(life.over(), Some(panicked()));
    }

    #[test]
    fn what_somebody_here_wanted_comes_first() {
        let life = Life::new();
        life.condemn(panicked());
        life.ask_to_stop();
        life.end(ExitReason::GuestShutdown);
        assert_eq!(life.over(), Some(ExitReason::Stopped));
    }
}
