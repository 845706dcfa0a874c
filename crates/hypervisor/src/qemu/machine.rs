use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use container_mux::{LinkError, Mux, Side};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::accelerator::Accelerator;
use super::exit::Evidence;
use super::files::Files;
use super::plan::{Descriptors, Plan};
use super::privileges::Privileges;
use super::process::{Launch, Process};
use super::qmp::{Client, Command, Event, QmpError};
use super::{shares, tsc};
use crate::boot_log::BootLog;
use crate::{Connection, Error, ExitReason, Listener, NicKind, VirtualMachine, VmConfig};

/// Time that a guest that runs has to listen on a port.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that QEMU has to end by itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Everything that starting a machine takes.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) config: VmConfig,
    pub(super) accelerator: Accelerator,
    pub(super) program: PathBuf,
    pub(super) privileges: Option<Privileges>,
    pub(super) files: Files,
    pub(super) clock: Option<tsc::Reading>,
}

/// A machine that was started.
#[derive(Debug)]
struct Running {
    process: Arc<Process>,
    qmp: Client,
    mux: Mux,
    boot_deadline: Instant,
    log: Log,
}

/// Where the guest's console goes.
#[derive(Debug, Clone)]
struct Log {
    path: PathBuf,
    start: u64,
}

impl Log {
    fn read(&self) -> BootLog {
        BootLog::read(&self.path, self.start)
    }
}

/// One QEMU process and what it takes to start it.
#[derive(Debug)]
pub(super) struct QemuMachine {
    prepared: Mutex<Option<Prepared>>,
    running: Mutex<Option<Arc<Running>>>,
    /// This side wants the machine to end.
    stopped: Arc<AtomicBool>,
    exit: watch::Sender<Option<ExitReason>>,
    boot_timeout: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket_pair() -> io::Result<(UnixStream, StdUnixStream)> {
    let (near, far) = StdUnixStream::pair()?;
    near.set_nonblocking(true)?;
    Ok((UnixStream::from_std(near)?, far))
}

impl Prepared {
    /// Starts the process; the two sockets are this side's ends of its monitor and of the agent's port.
    /// `shares`: its connection to the server of the shared directories.
    async fn launch(self, shares: Option<OwnedFd>) -> io::Result<(Process, UnixStream, UnixStream)> {
        let Self {
            config,
            accelerator,
            program,
            privileges,
            files,
            clock,
        } = self;
        let (qmp, qmp_far) = socket_pair()?;
        let (agent, agent_far) = socket_pair()?;
        let descriptors = Descriptors {
            kernel: files.kernel.as_raw_fd(),
            disks: files.disks.iter().map(AsRawFd::as_raw_fd).collect(),
            console: files.console.as_raw_fd(),
            qmp: qmp_far.as_raw_fd(),
            agent: agent_far.as_raw_fd(),
            shares: shares.as_ref().map(AsRawFd::as_raw_fd),
        };
        let tsc_khz = clock
            .filter(|_| accelerator == Accelerator::Tcg)
            .and_then(tsc::Reading::khz);
        let arguments = Plan {
            config: &config,
            accelerator,
            tsc_khz,
            descriptors: &descriptors,
        }
        .words();
        tracing::debug!(program = %program.display(), ?arguments, "starting QEMU");
        let mut inherited = vec![files.kernel, files.console, qmp_far.into(), agent_far.into()];
        inherited.extend(files.disks);
        inherited.extend(shares);
        inherited.extend(config.nics.into_iter().filter_map(|nic| match nic.kind {
            NicKind::Tap(fd) => Some(fd),
            NicKind::Nat => None,
        }));
        let process = Process::start(Launch {
            program,
            arguments,
            inherited,
            privileges,
        })
        .await?;
        Ok((process, qmp, agent))
    }
}

impl QemuMachine {
    pub(super) fn new(prepared: Prepared) -> Self {
        Self {
            boot_timeout: prepared.config.boot_timeout,
            prepared: Mutex::new(Some(prepared)),
            running: Mutex::new(None),
            stopped: Arc::new(AtomicBool::new(false)),
            exit: watch::Sender::new(None),
        }
    }

    /// The machine, unless it was never started or is over.
    fn running(&self) -> Result<Arc<Running>, Error> {
        if let Some(reason) = &*self.exit.borrow() {
            return Err(Error::Exited(reason.clone()));
        }
        lock(&self.running).clone().ok_or(Error::NotStarted)
    }

    /// Finds out why the machine ended, when it does.
    fn supervise(
        &self,
        process: &Arc<Process>,
        shares: Option<Process>,
        mut events: mpsc::UnboundedReceiver<Event>,
        mux: Mux,
        log: Log,
    ) {
        let (exit, stopped) = (self.exit.clone(), Arc::clone(&self.stopped));
        let mut ended = process.ended();
        let process = Arc::downgrade(process);
        tokio::spawn(async move {
            let last_shutdown = async {
                let mut last = None;
                // Ends when QEMU closes its monitor.
                while let Some(Event::Shutdown(reason)) = events.recv().await {
                    last = Some(reason);
                }
                last
            };
            let over = async { tokio::join!(mux.ready(), last_shutdown) };
            tokio::pin!(over);
            let mut lost_shares = None;
            let (ready, shutdown) = tokio::select! {
                over = &mut over => over,
                // The guest would wait for its files for ever.
                failure = shares::failure(shares.as_ref()) => {
                    lost_shares = Some(failure);
                    if let Some(process) = process.upgrade() {
                        process.kill();
                    }
                    over.await
                }
            };
            let ended = ended
                .wait_for(Option::is_some)
                .await
                .map_or(None, |ended| ended.clone());
            if let Some(server) = shares {
                let failure = shares::finish(server).await;
                lost_shares = lost_shares.or(failure);
            }
            let stopped = stopped.load(Ordering::Acquire);
            let reason = match ended {
                _ if !stopped && lost_shares.is_some() => ExitReason::Failed {
                    message: lost_shares.unwrap_or_default(),
                },
                Some(ended) => Evidence {
                    stopped,
                    agent_seen: ready.is_ok(),
                    shutdown: shutdown.as_deref(),
                    ended: &ended,
                    boot_log: &log.read(),
                }
                .reason(),
                None => ExitReason::Failed {
                    message: "somebody else waited for its process".to_owned(),
                },
            };
            tracing::debug!(%reason, "the machine is over");
            exit.send_replace(Some(reason));
        });
    }

    async fn control(&self, command: Command, action: &'static str) -> Result<(), Error> {
        let running = self.running()?;
        running
            .qmp
            .execute(command)
            .await
            .map_err(|source| Error::Control {
                action,
                source: source.into(),
            })
    }

    /// The link to the guest is gone, as it is when the machine ends.
    async fn link_lost(&self, port: u32, error: LinkError) -> Error {
        match error {
            LinkError::PeerClosed | LinkError::Io(_) | LinkError::Dropped => Error::Exited(self.wait().await),
            LinkError::Protocol(_) | LinkError::SameSide | LinkError::Version(_) => Error::Port {
                port,
                source: container_mux::Error::from(error).into(),
            },
        }
    }
}

#[async_trait]
impl VirtualMachine for QemuMachine {
    async fn start(&self) -> Result<(), Error> {
        let prepared = lock(&self.prepared).take().ok_or(Error::AlreadyStarted)?;
        let begun = Instant::now();
        let log = Log {
            path: prepared.config.console_log.clone(),
            start: prepared.files.console_start,
        };
        let (server, connection) = match prepared.config.shares.as_slice() {
            [] => (None, None),
            shares => {
                let (server, connection) = shares::start(shares).await.map_err(Error::Shares)?;
                (Some(server), Some(connection))
            }
        };
        let (process, qmp, agent) = prepared.launch(connection).await.map_err(Error::Spawn)?;
        let process = Arc::new(process);
        let (sender, events) = mpsc::unbounded_channel();
        let mux = Mux::new(agent, Side::Host);
        self.supervise(&process, server, events, mux.clone(), log.clone());
        let qmp = match Client::connect(qmp, sender).await {
            Ok(qmp) => qmp,
            Err(QmpError::Closed | QmpError::Io(_)) => {
                drop(process);
                return Err(Error::Exited(self.wait().await));
            }
            Err(error) => {
                return Err(Error::Control {
                    action: "start",
                    source: error.into(),
                });
            }
        };
        tracing::debug!(elapsed = ?begun.elapsed(), pid = process.pid(), "QEMU runs");
        let running = Running {
            process,
            qmp,
            mux,
            boot_deadline: begun + self.boot_timeout,
            log,
        };
        if self.stopped.load(Ordering::Acquire) {
            running.process.kill();
        }
        *lock(&self.running) = Some(Arc::new(running));
        Ok(())
    }

    async fn stop(&self) -> Result<(), Error> {
        let running = match self.running() {
            Err(Error::Exited(_)) => return Ok(()),
            other => other?,
        };
        self.stopped.store(true, Ordering::Release);
        let orderly = async {
            // An answer that does not come is no reason to wait less for the end.
            let _ = running.qmp.execute(Command::Quit).await;
            self.wait().await;
        };
        if timeout(STOP_TIMEOUT, orderly).await.is_err() {
            running.process.kill();
            self.wait().await;
        }
        Ok(())
    }

    fn kill(&self) {
        self.stopped.store(true, Ordering::Release);
        if let Some(running) = &*lock(&self.running) {
            running.process.kill();
        }
    }

    async fn pause(&self) -> Result<(), Error> {
        self.control(Command::Stop, "pause the virtual machine").await
    }

    async fn resume(&self) -> Result<(), Error> {
        self.control(Command::Continue, "resume the virtual machine")
            .await
    }

    async fn connect(&self, port: u32) -> Result<Connection, Error> {
        let running = self.running()?;
        let begun = Instant::now();
        let deadline = running.boot_deadline.max(begun + CONNECT_TIMEOUT);
        match timeout_at(deadline, running.mux.connect_when_listening(port)).await {
            Ok(Ok(stream)) => {
                tracing::debug!(port, elapsed = ?begun.elapsed(), "connected to the guest");
                Ok(Box::new(stream))
            }
            Ok(Err(container_mux::Error::Link(error))) => Err(self.link_lost(port, error).await),
            Ok(Err(error)) => Err(Error::Port {
                port,
                source: error.into(),
            }),
            Err(_) => {
                let boot_log = running.log.read().last_lines();
                Err(Error::Silent {
                    port,
                    timeout: deadline - begun,
                    boot_log,
                })
            }
        }
    }

    fn listen(&self, port: u32) -> Result<Box<dyn Listener>, Error> {
        let running = self.running()?;
        let listener = running.mux.listen(port).map_err(|error| Error::Port {
            port,
            source: error.into(),
        })?;
        Ok(Box::new(GuestListener {
            listener,
            exit: self.exit.subscribe(),
        }))
    }

    async fn wait(&self) -> ExitReason {
        wait_for(self.exit.subscribe()).await
    }

    fn memory_in_use(&self) -> Result<u64, Error> {
        let running = self.running()?;
        let statm =
            fs::read_to_string(format!("/proc/{}/statm", running.process.pid())).map_err(Error::MemoryUse)?;
        resident(&statm)
            .ok_or_else(|| Error::MemoryUse(io::Error::new(io::ErrorKind::InvalidData, "unknown format")))
    }
}

impl Drop for QemuMachine {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn wait_for(mut exit: watch::Receiver<Option<ExitReason>>) -> ExitReason {
    match exit.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(reason)) => reason.clone(),
        // The machine's object is gone, and with it the machine.
        _ => ExitReason::Stopped,
    }
}

/// Bytes in memory, from `/proc/<pid>/statm`.
fn resident(statm: &str) -> Option<u64> {
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// A port of the host that the guest connects to.
#[derive(Debug)]
struct GuestListener {
    listener: container_mux::Listener,
    exit: watch::Receiver<Option<ExitReason>>,
}

#[async_trait]
impl Listener for GuestListener {
    async fn accept(&mut self) -> Result<Connection, Error> {
        match self.listener.accept().await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(_) => Err(Error::Exited(wait_for(self.exit.clone()).await)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory() {
        assert_eq!(
            resident("5000 200 30 4 0 60 0\n"),
            Some(200 * rustix::param::page_size() as u64)
        );
        assert_eq!(resident(""), None);
    }
}
