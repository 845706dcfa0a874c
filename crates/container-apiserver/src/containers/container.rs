//! One container: what was asked for, what it is doing, and the queue of what is done to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use container_client::{Bundle, BundleConfiguration};
use container_ipc::Error;
use container_resource::health::Health;
use container_resource::time::Timestamp;
use container_resource::{ContainerSnapshot, ContainerState, ContainerStatus, ExitStatus};
use tokio::sync::{Mutex as Queue, watch};

use super::run::Run;

/// A stored container.
///
/// What changes its life (start, end, deletion) takes its turn in [`life`](Self::life). What it is doing can be read
/// at any time, and its helper can be reached, and killed, while somebody else's turn hangs.
#[derive(Debug)]
pub(crate) struct Container {
    /// The id, which is valid and therefore a safe file name.
    pub(crate) id: String,
    /// Its directory.
    pub(crate) bundle: Bundle,
    record: RwLock<Arc<BundleConfiguration>>,
    /// Held by whoever starts it, cleans up after it, or deletes it.
    pub(crate) life: Queue<()>,
    state: Mutex<State>,
    /// Whether it is known if a helper of an earlier server still runs.
    settled: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    status: ContainerStatus,
    run: Option<Arc<Run>>,
    exit: Option<ExitStatus>,
    deleted: bool,
    /// How many operations need the container after its end, whatever `--rm` says.
    kept: usize,
    /// Restarts in a row that its policy has caused.
    restarts: u32,
}

impl Container {
    /// A container that has just been created.
    pub(crate) fn created(bundle: Bundle, record: BundleConfiguration) -> Self {
        let state = State {
            status: stopped(None),
            ..State::default()
        };
        Self::with_state(bundle, record, state, true)
    }

    /// A container that an earlier server left, whose helper has not been looked for yet.
    pub(crate) fn found(
        bundle: Bundle,
        record: BundleConfiguration,
        started: Option<Timestamp>,
        exit: Option<ExitStatus>,
    ) -> Self {
        let state = if started.is_some() && exit.is_none() {
            ContainerState::Unknown
        } else {
            ContainerState::Stopped
        };
        let status = ContainerStatus {
            state,
            started_date: started,
            ..ContainerStatus::default()
        };
        Self::with_state(
            bundle,
            record,
            State {
                status,
                exit,
                ..State::default()
            },
            false,
        )
    }

    fn with_state(bundle: Bundle, record: BundleConfiguration, state: State, settled: bool) -> Self {
        Self {
            id: record.configuration.id.clone(),
            bundle,
            record: RwLock::new(Arc::new(record)),
            life: Queue::new(()),
            state: Mutex::new(state),
            settled: watch::Sender::new(settled),
        }
    }

    /// What was asked for.
    pub(crate) fn record(&self) -> Arc<BundleConfiguration> {
        Arc::clone(&self.record.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is asked for has changed; its owner has stored that.
    pub(crate) fn change(&self, record: BundleConfiguration) {
        *self.record.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(record);
    }

    /// What `list` and `inspect` show. Never waits.
    pub(crate) fn snapshot(&self) -> ContainerSnapshot {
        let status = self.state().status.clone();
        ContainerSnapshot {
            id: self.id.clone(),
            status,
            configuration: self.record().configuration.clone(),
        }
    }

    /// Waits until it is known whether a helper of an earlier server runs. Must not be called in one's turn, which
    /// whoever finds that out needs.
    pub(crate) async fn settled(&self) {
        // The sender lives as long as this container, so that waiting cannot fail.
        let _ = self.settled.subscribe().wait_for(|settled| *settled).await;
    }

    /// The live helper, if there is one.
    pub(crate) async fn run(&self) -> Option<Arc<Run>> {
        self.settled().await;
        self.current_run()
    }

    /// The live helper, or the error that tells that there is none.
    pub(crate) async fn live(&self) -> Result<Arc<Run>, Error> {
        self.run().await.ok_or_else(no_runtime_client)
    }

    /// The live helper, if there is one and that is known already.
    pub(crate) fn current_run(&self) -> Option<Arc<Run>> {
        self.state().run.clone()
    }

    /// Whether `run` is the live helper.
    pub(crate) fn is_current(&self, run: &Arc<Run>) -> bool {
        self.state()
            .run
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, run))
    }

    /// Whether a helper of an earlier server runs is known from now on.
    pub(crate) fn settle(&self) {
        self.settled.send_replace(true);
    }

    /// A helper has been started.
    pub(crate) fn begin(&self, run: Arc<Run>) {
        let mut state = self.state();
        state.run = Some(run);
        state.exit = None;
    }

    /// The helper `run` reports `status`.
    pub(crate) fn report(&self, run: &Arc<Run>, status: ContainerStatus) {
        let mut state = self.state();
        if state
            .run
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, run))
        {
            let started_date = status.started_date.or(state.status.started_date);
            let health = status.health.or_else(|| state.status.health.take());
            state.status = ContainerStatus {
                started_date,
                health,
                ..status
            };
        }
    }

    /// The helper `run` reports what the health check has found out.
    pub(crate) fn report_health(&self, run: &Arc<Run>, health: Option<Health>) {
        let mut state = self.state();
        if state
            .run
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, run))
        {
            state.status.health = health;
        }
    }

    /// The init process started.
    pub(crate) fn started(&self, date: Timestamp) {
        self.state().status.started_date = Some(date);
    }

    /// The helper is gone.
    pub(crate) fn end(&self, exit: ExitStatus) {
        let mut state = self.state();
        state.run = None;
        state.status = stopped(state.status.started_date);
        state.exit = Some(exit);
    }

    /// No helper of an earlier server runs; `exit` tells how it ended if the container ever started.
    pub(crate) fn ended_before(&self, exit: Option<ExitStatus>) {
        let mut state = self.state();
        state.status = stopped(state.status.started_date);
        state.exit = exit;
    }

    /// How the init process last ended, if it did.
    pub(crate) fn exit(&self) -> Option<ExitStatus> {
        self.state().exit
    }

    /// Whether the container is deleted when it ends.
    pub(crate) fn ends_deleted(&self) -> bool {
        self.record().options.auto_remove && self.state().kept == 0
    }

    /// Keeps the container beyond its end for as long as what is returned lives.
    pub(crate) fn keep(self: &Arc<Self>) -> Kept {
        self.state().kept += 1;
        Kept(Arc::clone(self))
    }

    /// Counts one more restart in a row; gives how many there were before.
    pub(crate) fn count_restart(&self) -> u32 {
        let mut state = self.state();
        state.restarts += 1;
        state.restarts - 1
    }

    /// Begins to count restarts anew: the user started the container, or it ran well for a while.
    pub(crate) fn forget_restarts(&self) {
        self.state().restarts = 0;
    }

    /// The bundle is gone; whoever still waits for a turn has to find that out.
    pub(crate) fn delete(&self) {
        self.state().deleted = true;
    }

    /// Whether the bundle is gone.
    pub(crate) fn is_deleted(&self) -> bool {
        self.state().deleted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A container that is not deleted on its end while this lives.
#[derive(Debug)]
pub(crate) struct Kept(Arc<Container>);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.state().kept -= 1;
    }
}

/// The error that tells that a container does not run.
pub(super) fn no_runtime_client() -> Error {
    Error::invalid_state("no runtime client exists: container is stopped")
}

fn stopped(started_date: Option<Timestamp>) -> ContainerStatus {
    ContainerStatus {
        state: ContainerState::Stopped,
        started_date,
        ..ContainerStatus::default()
    }
}
