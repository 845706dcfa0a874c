//! Reaping: the agent is every orphan's parent, and tells those who wait how its own children ended.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustix::process::{Pid, WaitOptions, WaitStatus};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::launcher::Child;
use crate::log::log;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Exit status; 128 + the signal's number for a process ended by a signal.
    pub(crate) status: i32,
    /// When it was reaped.
    pub(crate) at: SystemTime,
}

/// The one place that waits for child processes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reaper {
    children: Arc<Mutex<HashMap<Pid, watch::Sender<Option<Exit>>>>>,
}

impl Reaper {
    /// Starts reaping. Must be called within the runtime.
    pub(crate) fn start() -> io::Result<Self> {
        let reaper = Self::default();
        let mut signals = signal(SignalKind::child())?;
        let task = reaper.clone();
        tokio::spawn(async move {
            loop {
                task.reap();
                if signals.recv().await.is_none() {
                    return;
                }
            }
        });
        Ok(reaper)
    }

    /// Starts a child with `start`, and has `exit` told how it ends, however soon that is.
    pub(super) fn watch(
        &self,
        exit: watch::Sender<Option<Exit>>,
        start: impl FnOnce() -> io::Result<Child>,
    ) -> io::Result<Child> {
        // Held meanwhile, so that the child is not reaped before it is known.
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        let child = start()?;
        children.insert(child.pid, exit);
        Ok(child)
    }

    fn reap(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => {
                    if let Some(sender) = children.remove(&pid) {
                        sender.send_replace(Some(Exit {
                            status: status_of(status),
                            at: SystemTime::now(),
                        }));
                    }
                }
                Ok(None) | Err(rustix::io::Errno::CHILD) => return,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    log!("cannot reap: {error}");
                    return;
                }
            }
        }
    }
}

/// The exit status that a shell would report.
pub(crate) fn status_of(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(status), _) => status,
        (None, Some(signal)) => 128 + signal,
        // Nothing asked for stopped processes to be reported.
        (None, None) => 255,
    }
}
