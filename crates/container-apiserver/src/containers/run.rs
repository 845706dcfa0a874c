//! One life of a container: the helper that runs it, from its start to its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use container_client::RuntimeClient;
use container_resource::ExitStatus;
use container_resource::time::now;
use tokio::sync::watch;

/// The code of a container whose virtual machine was lost.
pub(super) const LOST: i32 = 255;
/// The code of a container that was killed from outside: 128 + SIGKILL.
const KILLED: i32 = 137;

/// A live helper.
#[derive(Debug)]
pub(crate) struct Run {
    /// The connection to it.
    pub(crate) client: RuntimeClient,
    /// The label of its job.
    pub(crate) label: String,
    booted: AtomicBool,
    started: AtomicBool,
    killed: AtomicBool,
    asked_to_end: AtomicBool,
    began: Instant,
    ended: watch::Sender<Option<ExitStatus>>,
}

impl Run {
    /// The helper behind `client`, which runs as the job `label`.
    pub(crate) fn new(client: RuntimeClient, label: String) -> Self {
        Self {
            client,
            label,
            booted: AtomicBool::default(),
            started: AtomicBool::default(),
            killed: AtomicBool::default(),
            asked_to_end: AtomicBool::default(),
            began: Instant::now(),
            ended: watch::Sender::new(None),
        }
    }

    /// Remembers that the virtual machine is up.
    pub(crate) fn mark_booted(&self) {
        self.booted.store(true, Ordering::Release);
    }

    /// Whether the virtual machine is up; before that the helper has nothing to end in good order.
    pub(crate) fn is_booted(&self) -> bool {
        self.booted.load(Ordering::Acquire)
    }

    /// Remembers that the init process has been started.
    pub(crate) fn mark_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Whether the init process has been started.
    pub(crate) fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    /// Remembers that somebody ended the container, so that its restart policy leaves it alone.
    pub(crate) fn ask_to_end(&self) {
        self.asked_to_end.store(true, Ordering::Release);
    }

    /// Whether somebody ended the container.
    pub(crate) fn is_asked_to_end(&self) -> bool {
        self.asked_to_end.load(Ordering::Acquire)
    }

    /// How long ago it began, or was taken over.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Resolves when the helper is gone and everything is cleaned up, with the init process's exit status.
    pub(crate) async fn ended(&self) -> ExitStatus {
        let mut ended = self.ended.subscribe();
        let ended = ended.wait_for(Option::is_some).await.map(|status| *status);
        // The sender is part of `self`, so that waiting cannot fail.
        ended.ok().flatten().unwrap_or_else(|| self.lost())
    }

    /// Wakes everyone who waits for the end.
    pub(crate) fn end(&self, status: ExitStatus) {
        self.ended.send_replace(Some(status));
    }

    /// Remembers that the helper is being killed, for [`lost`](Self::lost).
    pub(crate) fn mark_killed(&self) {
        self.killed.store(true, Ordering::Release);
    }

    /// How a container ended whose helper did not tell.
    pub(crate) fn lost(&self) -> ExitStatus {
        let exit_code = if self.killed.load(Ordering::Acquire) {
            KILLED
        } else {
            LOST
        };
        ExitStatus {
            exit_code,
            exited_at: now(),
        }
    }
}

/// How a container ended that died together with its helper while no server was there.
pub(crate) fn lost_unseen() -> ExitStatus {
    ExitStatus {
        exit_code: LOST,
        exited_at: now(),
    }
}
