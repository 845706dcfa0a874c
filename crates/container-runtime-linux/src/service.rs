//! The helper's life: boot, processes, end (behaviour reference, 11 and 27.5).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use container_client::bundle::StartRecord;
use container_client::phases::{Phases, Stopwatch};
use container_client::runtime::{BootstrapRequest, CreateProcessRequest};
use container_client::stdio_log::LogWriter;
use container_client::{Bundle, BundleConfiguration, Stdio};
use container_ipc::{Error, ErrorCode};
use container_resource::{
    ContainerStatistics, ContainerStatus, ExitStatus, ProcessConfiguration, RunningProcess, time,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::announce::keep_announcing;
use crate::error::{LOST, exit};
use crate::health::{Watched, keep_checking};
use crate::machine;
use crate::process::{Guest, GuestProcess};
use crate::state::{State, Step};
use crate::{error, guest, publish, sockets, spec, statistics, volumes};

/// The length of the boot log, in bytes, beyond which a start begins it anew: some hundred starts.
const BOOT_LOG_LIMIT: u64 = 4 << 20;
/// How long other processes of a container may take to end after its init process.
const STRAGGLERS: Duration = Duration::from_secs(1);
/// How long the exit status of another process than init can still be asked for.
const REMEMBER: Duration = Duration::from_secs(60);
/// How long a booted container may wait for its process to be started, which whoever had it booted does at once.
const ABANDONED: Duration = Duration::from_secs(60);
/// How long an ended helper stays for an API server that may be starting again.
const GOODBYE: Duration = Duration::from_secs(10);

/// One container and its virtual machine.
#[derive(Debug)]
pub struct Runtime {
    pub(crate) bundle: Bundle,
    pub(crate) container: BundleConfiguration,
    state: Mutex<State>,
    init_started: CancellationToken,
    /// Held by whoever freezes the container's processes or lets them go on.
    pub(crate) freezing: tokio::sync::Mutex<()>,
    /// Asks for the end of a machine whose init process does not run or does not obey.
    pub(crate) power_off: CancellationToken,
    stopped: watch::Sender<Option<ExitStatus>>,
    health: Watched,
    shutdown: CancellationToken,
}

impl Runtime {
    /// The runtime of the container in `bundle`.
    ///
    /// # Errors
    /// The bundle cannot be read.
    pub fn open(bundle: Bundle) -> Result<Arc<Self>, error::Error> {
        let container = bundle.load_configuration().map_err(error::Error::Bundle)?;
        Ok(Arc::new(Self {
            health: Watched::new(container.configuration.health_check.as_ref()),
            bundle,
            container,
            state: Mutex::default(),
            init_started: CancellationToken::new(),
            freezing: tokio::sync::Mutex::default(),
            power_off: CancellationToken::new(),
            stopped: watch::Sender::new(None),
            shutdown: CancellationToken::new(),
        }))
    }

    /// The container's id.
    pub fn id(&self) -> &str {
        &self.container.configuration.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boots the virtual machine and prepares it for the init process.
    ///
    /// # Errors
    /// It was booted before, or does not come up; then nothing of it is left.
    pub async fn bootstrap(
        self: &Arc<Self>,
        request: BootstrapRequest,
        stdio: Stdio,
    ) -> Result<Phases, Error> {
        self.state().advance(Step::Created, Step::Booting)?;
        match self.boot(request, stdio).await {
            Ok(phases) => Ok(phases),
            Err(error) => {
                self.state().step = Step::Stopped;
                self.stopped.send_replace(Some(exit(LOST)));
                Err(error)
            }
        }
    }

    async fn boot(self: &Arc<Self>, mut request: BootstrapRequest, stdio: Stdio) -> Result<Phases, Error> {
        let configuration = &self.container.configuration;
        let ssh_agent = sockets::take_ssh_agent(configuration.ssh, &mut request.dynamic_env);
        let specification = spec::container(configuration, &request.dynamic_env, ssh_agent.is_some())?;
        let specification = serde_json::to_vec(&specification)
            .map_err(|error| Error::new(ErrorCode::InternalError, error.to_string()))?;
        self.bundle.clear_exit().map_err(error::Error::Bundle)?;
        self.bundle
            .bound_boot_log(BOOT_LOG_LIMIT)
            .map_err(error::Error::Bundle)?;
        let log = LogWriter::begin(&self.bundle.stdio_log(), request.log_limits, request.keep_log)
            .map_err(error::Error::Bundle)?;
        let mut watch = Stopwatch::default();
        // A conflict is found before anything boots.
        let ports = publish::bind(configuration)?;
        let published_ports = publish::chosen(configuration, &ports);
        let published_sockets = sockets::published::bind(configuration)?;
        let plugins = &request.network_plugins;
        let (guest, links) = machine::boot(&self.bundle, &self.container, plugins, &mut watch).await?;
        let forwarding = publish::serve(ports, configuration, plugins, &links)?;
        if let Some(socket) = ssh_agent {
            sockets::forward_ssh_agent(&guest, socket).await?;
        }
        sockets::forward_mounted(&guest, configuration).await?;
        let relays = sockets::published::serve(published_sockets, &guest).await?;
        let init = GuestProcess::new(
            self.id().to_owned(),
            configuration.init_process.terminal,
            specification,
            stdio,
            Some(Arc::new(Mutex::new(log))),
        );
        let init = Arc::new(init.with_input(configuration.open_stdin));
        {
            let mut state = self.state();
            state.step = Step::Booted;
            state.guest = Some(guest.clone());
            state.links = Some(links);
            state.forwarding = forwarding;
            state.relays = relays;
            state.published_ports = published_ports;
            state.environment = request.dynamic_env;
            state.processes.insert(self.id().to_owned(), init.clone());
        }
        tokio::spawn(self.clone().supervise(guest, init));
        Ok(watch.finish())
    }

    /// Watches over the machine from its boot to its end.
    async fn supervise(self: Arc<Self>, guest: Guest, init: Arc<GuestProcess>) {
        let (status, alive) = tokio::select! {
            ended = self.init_ended(&guest, &init) => ended,
            reason = guest.machine.wait() => {
                tracing::warn!(?reason, "the virtual machine ended");
                (exit(LOST), false)
            }
            () = self.power_off.cancelled() => (exit(LOST), true),
            () = self.abandoned() => {
                tracing::warn!("nobody starts the process of the booted container");
                (exit(LOST), true)
            }
            never = machine::keep_time(&guest.agent) => match never {},
            never = keep_announcing(&self, &guest.agent) => match never {},
            never = keep_checking(&self, self.container.configuration.health_check.as_ref()) => match never {},
        };
        self.end(&guest, status, alive).await;
        init.finish(status);
        self.stopped.send_replace(Some(status));
        tracing::info!(code = status.exit_code, "the container ended");
    }

    /// Resolves when the container was booted and nobody has started its process: whoever wanted to has gone.
    async fn abandoned(&self) {
        if tokio::time::timeout(ABANDONED, self.init_started.cancelled())
            .await
            .is_ok()
        {
            std::future::pending::<()>().await;
        }
    }

    async fn init_ended(&self, guest: &Guest, init: &GuestProcess) -> (ExitStatus, bool) {
        self.init_started.cancelled().await;
        match init.wait_in_guest(guest).await {
            Ok(status) => (status, true),
            Err(error) => {
                tracing::warn!(%error, "the guest agent was lost");
                (exit(LOST), false)
            }
        }
    }

    /// Takes the machine down. What must last is on its disk afterwards; a container that is deleted when it stops
    /// has nothing that must.
    async fn end(&self, guest: &Guest, status: ExitStatus, alive: bool) {
        let others: Vec<_> = {
            let mut state = self.state();
            state.step = Step::Stopping;
            let others = state.processes.iter().filter(|(id, _)| *id != self.id());
            others.map(|(_, process)| process.clone()).collect()
        };
        if alive {
            let all = async {
                for process in &others {
                    process.wait().await;
                }
            };
            // The kernel kills them with the init process; this only lets the news arrive.
            let _ = tokio::time::timeout(STRAGGLERS, all).await;
        }
        let (forwarding, mut relays) = {
            let mut state = self.state();
            (
                std::mem::take(&mut state.forwarding),
                std::mem::take(&mut state.relays),
            )
        };
        forwarding.end().await;
        relays.shutdown().await;
        self.switch_off(guest, alive).await;
        for process in others.iter().filter(|process| process.exit_status().is_none()) {
            process.finish(exit(LOST));
        }
        if let Err(error) = self.bundle.store_exit(status) {
            tracing::error!(%error, "failed to record how the container ended");
        }
        let mut state = self.state();
        state.step = Step::Stopped;
        state.guest = None;
        state.links = None;
        state.published_ports.clear();
    }

    async fn switch_off(&self, guest: &Guest, alive: bool) {
        let auto_remove = self.container.options.auto_remove;
        if alive {
            volumes::unmount(guest, &self.container.configuration).await;
        }
        if alive && !auto_remove {
            machine::unmount(guest).await;
            if let Err(error) = guest.machine.stop().await {
                tracing::warn!(%error, "failed to stop the virtual machine");
            }
        }
        guest.machine.kill();
        // Nothing that outlives the container was the machine's: nobody need wait until the host's kernel has taken its
        // memory apart.
        let nothing_stays = alive && auto_remove && self.container.configuration.mounts.is_empty();
        if !nothing_stays {
            guest.machine.wait().await;
        }
    }

    /// Adds a process to the running container.
    ///
    /// # Errors
    /// The container does not run, or the id is taken.
    pub fn create_process(&self, mut request: CreateProcessRequest, stdio: Stdio) -> Result<(), Error> {
        spec::add_environment(&mut request.process_config.environment, &self.state().environment);
        let process = spec::process(&self.container.configuration, &request.process_config)?;
        let specification = serde_json::to_vec(&serde_json::json!({
            "ociVersion": oci_spec::runtime::VERSION,
            "process": process,
            "annotations": spec::annotations(&request.process_config),
        }));
        let specification =
            specification.map_err(|error| Error::new(ErrorCode::InternalError, error.to_string()))?;
        let mut state = self.state();
        state.running_guest("exec")?;
        if state.frozen {
            let text = format!("container {} is paused", self.id());
            return Err(Error::new(ErrorCode::InvalidState, text));
        }
        if state.processes.contains_key(&request.id) {
            return Err(Error::new(
                ErrorCode::Exists,
                format!("process {} already exists", request.id),
            ));
        }
        let terminal = request.process_config.terminal;
        let process = GuestProcess::new(request.id.clone(), terminal, specification, stdio, None);
        state.processes.insert(request.id, Arc::new(process));
        Ok(())
    }

    /// Starts the process `id`.
    ///
    /// # Errors
    /// The program cannot be executed, or the process was started before.
    pub async fn start(self: &Arc<Self>, id: &str) -> Result<Phases, Error> {
        let mut watch = Stopwatch::default();
        let (process, guest) = {
            let state = self.state();
            let process = state.process(id)?;
            if id == self.id() && state.step != Step::Booted {
                let text = format!("container expected to be in booted state, got: {}", state.step);
                return Err(Error::new(ErrorCode::InvalidState, text));
            }
            (process, state.running_guest("start")?)
        };
        if id == self.id() {
            process.start(&guest).await?;
            let started = time::now();
            {
                let mut state = self.state();
                // The machine may have been lost meanwhile.
                if state.step == Step::Booted {
                    state.step = Step::Running;
                }
                state.started = Some(started);
            }
            self.bundle
                .store_start(StartRecord {
                    started_date: started,
                })
                .map_err(error::Error::Bundle)?;
            self.init_started.cancel();
        } else {
            if let Err(error) = process.start(&guest).await {
                self.state().processes.remove(id);
                return Err(error);
            }
            let (runtime, id) = (self.clone(), id.to_owned());
            tokio::spawn(async move {
                let ended = process.wait_in_guest(&guest).await;
                process.finish(ended.unwrap_or_else(|_| exit(LOST)));
                process.delete(&guest).await;
                tokio::time::sleep(REMEMBER).await;
                runtime.state().processes.remove(&id);
            });
        }
        watch.lap("process");
        Ok(watch.finish())
    }

    /// Waits for the process `id` to end and for the client to have all of its output.
    ///
    /// # Errors
    /// The process was never created.
    pub async fn wait(&self, id: &str) -> Result<ExitStatus, Error> {
        let process = self.state().process(id)?;
        let status = process.wait().await;
        process.written().await;
        Ok(status)
    }

    /// Waits for the end of the virtual machine.
    pub async fn stopped(&self) -> ExitStatus {
        let mut stopped = self.stopped.subscribe();
        match stopped.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_else(|| exit(LOST)),
            // The sender is part of `self` and cannot be gone.
            Err(_) => exit(LOST),
        }
    }

    /// Gives `stdio` what the init process writes from now on, and the process what comes from there.
    ///
    /// # Errors
    /// The container does not run, or its process has no input to write to.
    pub fn attach(&self, stdio: Stdio) -> Result<(), Error> {
        let (_, init) = self.running_process("attach", self.id())?;
        init.attach(stdio)
    }

    /// Sends a signal to the process `id`.
    ///
    /// # Errors
    /// The signal is not known, or the process does not run.
    pub async fn kill(&self, id: &str, signal: i32) -> Result<(), Error> {
        let (guest, process) = self.running_process("kill", id)?;
        process.kill(&guest, signal).await
    }

    /// Freezes the container's processes, or lets them go on.
    ///
    /// # Errors
    /// The container does not run, or is what it is asked to be already.
    pub async fn freeze(&self, frozen: bool) -> Result<(), Error> {
        // What makes no sense is refused at once, whoever has the turn.
        self.can_freeze(frozen)?;
        let _turn = self.freezing.lock().await;
        let guest = self.can_freeze(frozen)?;
        guest::freeze(&guest.agent, self.id(), frozen).await?;
        self.state().frozen = frozen;
        Ok(())
    }

    fn can_freeze(&self, frozen: bool) -> Result<Guest, Error> {
        let state = self.state();
        let wrong = match state.step {
            Step::Running if state.frozen == frozen && frozen => Some("is paused already"),
            Step::Running if state.frozen == frozen => Some("is not paused"),
            Step::Running => None,
            _ => Some("is not running"),
        };
        if let Some(wrong) = wrong {
            let text = format!("container {} {wrong}", self.id());
            return Err(Error::new(ErrorCode::InvalidState, text));
        }
        state.running_guest("pause")
    }

    /// Sets the window size of the process `id`.
    ///
    /// # Errors
    /// The process does not run.
    pub async fn resize(&self, id: &str, columns: u16, rows: u16) -> Result<(), Error> {
        let (guest, process) = self.running_process("resize", id)?;
        process.resize(&guest, columns, rows).await
    }

    fn running_process(&self, what: &str, id: &str) -> Result<(Guest, Arc<GuestProcess>), Error> {
        let state = self.state();
        Ok((state.running_guest(what)?, state.process(id)?))
    }

    /// What the container is doing.
    pub fn status(&self) -> ContainerStatus {
        let status = self.state().status();
        let health = Some(&self.health).filter(|_| status.state.is_up());
        ContainerStatus {
            health: health.and_then(Watched::current),
            ..status
        }
    }

    /// What the container's health check has found out.
    pub(crate) fn health(&self) -> &Watched {
        &self.health
    }

    /// The process that is the container's life.
    pub(crate) fn init_process(&self) -> &ProcessConfiguration {
        &self.container.configuration.init_process
    }

    /// Resolves when the init process has been started.
    pub(crate) async fn init_started(&self) {
        self.init_started.cancelled().await;
    }

    /// Whether the container's processes are frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.state().frozen
    }

    /// The container's counters.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn statistics(&self) -> Result<ContainerStatistics, Error> {
        let guest = self.state().running_guest("read statistics")?;
        statistics::read(&guest).await
    }

    /// The container's processes.
    ///
    /// # Errors
    /// The container does not run.
    pub async fn processes(&self) -> Result<Vec<RunningProcess>, Error> {
        let guest = self.state().running_guest("list processes")?;
        statistics::processes(&guest).await
    }

    /// The guest of a container that is up, with its init process if that was started; `None` when the machine may be
    /// booted for the container's files alone, which is then what it is for.
    pub(crate) fn guest_or_offline(&self) -> Result<Option<(Guest, Option<i32>)>, Error> {
        let mut state = self.state();
        if state.step == Step::Created {
            state.step = Step::Offline;
            return Ok(None);
        }
        let guest = state.running_guest("read files")?;
        let init = state.process(self.id()).ok().and_then(|init| init.pid());
        Ok(Some((guest, init)))
    }

    /// The machine is gone, and the helper has nothing more to do.
    pub(crate) fn over(&self, status: ExitStatus) {
        self.state().step = Step::Stopped;
        self.stopped.send_replace(Some(status));
    }

    /// The init process and what `stop` needs to know about the present step.
    pub(crate) fn for_stop(&self) -> (Step, Option<Guest>, Option<Arc<GuestProcess>>) {
        let state = self.state();
        (
            state.step,
            state.guest.clone(),
            state.processes.get(self.id()).cloned(),
        )
    }

    /// The signal that `stop` sends when it is given none.
    pub(crate) fn stop_signal(&self) -> &str {
        self.container
            .configuration
            .stop_signal
            .as_deref()
            .unwrap_or("TERM")
    }

    /// Ends the machine whatever its init process does.
    pub(crate) fn power_off(&self) {
        self.power_off.cancel();
    }

    /// Asks the helper to end.
    pub fn shut_down(&self) {
        self.power_off.cancel();
        self.shutdown.cancel();
    }

    /// Resolves when the helper has nothing more to do: the machine is gone, every client has its output, and the API
    /// server has said so or is not there to say it.
    pub async fn finished(&self) {
        let never_booted = async {
            self.shutdown.cancelled().await;
            if self.state().step != Step::Created {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = never_booted => return,
            _ = self.stopped() => {}
        }
        let processes: Vec<_> = self.state().processes.values().cloned().collect();
        for process in processes {
            process.written().await;
        }
        // Without an API server nobody says good-bye; how the container ended is on disk.
        let _ = tokio::time::timeout(GOODBYE, self.shutdown.cancelled()).await;
    }
}
