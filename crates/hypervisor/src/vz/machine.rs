use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use objc2_virtualization::VZVirtualMachine;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::console::{self, Sign};
use super::dial::dial;
use super::life::Life;
use super::listener::GuestListener;
use super::parts::{Method, Parts};
use super::plan::Plan;
use super::queue::{Confined, WeakConfined};
use crate::boot_log::BootLog;
use crate::{Connection, Error, ExitReason, Listener, VirtualMachine, VmConfig, files};

/// Time that a guest that runs has to listen on a port.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that the framework has for a step.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that the framework has to stop a machine.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the guest's console goes.
#[derive(Debug, Clone)]
struct Log {
    path: PathBuf,
    /// Where in it this boot begins.
    start: u64,
}

/// How far a machine has come.
#[derive(Debug)]
enum Stage {
    /// What the console's relay needs.
    Created(PipeReader, File),
    Starting,
    Running {
        boot_deadline: Instant,
    },
}

/// One virtual machine of the framework.
#[derive(Debug)]
pub(super) struct VzMachine {
    parts: Confined<Parts>,
    life: Arc<Life>,
    stage: Mutex<Stage>,
    boot_timeout: Duration,
    log: Log,
}

impl VzMachine {
    pub(super) fn new(config: &VmConfig, plan: &Plan) -> Result<Self, Error> {
        let (log, start) = files::open_console_log(&config.console_log)?;
        // A pipe, so that what the kernel says is heard while it says it.
        let (console, output) = io::pipe().map_err(|source| Error::ConsoleLog {
            path: config.console_log.clone(),
            source,
        })?;
        let life = Arc::new(Life::new());
        let label = format!("dev.container.machine.{}", config.name);
        let of_parts = Arc::clone(&life);
        let parts = Confined::new(&label, |queue| {
            Parts::new(plan, &config.nics, output.into(), of_parts, queue)
        })?;
        Ok(Self {
            parts,
            life,
            stage: Mutex::new(Stage::Created(console, log)),
            boot_timeout: config.boot_timeout,
            log: Log {
                path: config.console_log.clone(),
                start,
            },
        })
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the first step of a start, which nobody can take twice.
    fn begin(&self) -> Result<(PipeReader, File), Error> {
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Starting) {
            Stage::Created(console, log) => Ok((console, log)),
            later => {
                *stage = later;
                Err(Error::AlreadyStarted)
            }
        }
    }

    /// When the guest has to have booted, unless the machine was never started or is over.
    fn boot_deadline(&self) -> Result<Instant, Error> {
        if let Some(reason) = self.life.over() {
            return Err(Error::Exited(reason));
        }
        match *self.stage() {
            Stage::Running { boot_deadline } => Ok(boot_deadline),
            Stage::Created(..) | Stage::Starting => Err(Error::NotStarted),
        }
    }

    /// Has the framework take a step, and waits for its answer.
    async fn step(&self, action: &'static str, limit: Duration, method: Method) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel();
        self.parts.run(move |parts| parts.call(method, answer));
        let outcome = tokio::select! {
            biased;
            reason = self.life.wait() => return Err(Error::Exited(reason)),
            outcome = timeout(limit, answered) => outcome,
        };
        match outcome {
            Ok(Ok(result)) => result.map_err(|refusal| refusal.of(action)),
            Ok(Err(_)) | Err(_) => Err(Error::Control {
                action,
                source: io::Error::from(io::ErrorKind::TimedOut).into(),
            }),
        }
    }

    /// Ends the machine as pulling its plug would.
    fn power_off(&self) {
        power_off(&self.parts.downgrade(), &self.life);
    }

    /// Lets go of the framework's machine, which ends it.
    fn release(&self) {
        let life = Arc::clone(&self.life);
        self.parts.run(move |parts| parts.release(&life));
    }

    /// Moves the console's text to the log, and ends a machine whose kernel panicked or restarted.
    fn attend_console(&self, console: PipeReader, log: File) -> io::Result<()> {
        let console = Receiver::from_owned_fd(OwnedFd::from(console))?;
        let (place, life, parts) = (self.log.clone(), Arc::clone(&self.life), self.parts.downgrade());
        let notice = move |sign: Sign| {
            life.condemn(sign.reason(&BootLog::read(&place.path, place.start)));
            power_off(&parts, &life);
        };
        tokio::spawn(console::relay(console, log, notice));
        Ok(())
    }
}

fn power_off(parts: &WeakConfined<Parts>, life: &Arc<Life>) {
    let (of_block, life) = (parts.clone(), Arc::clone(life));
    parts.run(move |parts| parts.power_off(&life, &of_block));
}

#[async_trait]
impl VirtualMachine for VzMachine {
    async fn start(&self) -> Result<(), Error> {
        let (console, log) = self.begin()?;
        let begun = Instant::now();
        let started = async {
            self.attend_console(console, log).map_err(Error::Spawn)?;
            let start: Method = VZVirtualMachine::startWithCompletionHandler;
            self.step("start the virtual machine", self.boot_timeout, start)
                .await
        };
        if let Err(error) = started.await {
            self.life.end(ExitReason::Failed {
                message: chain(&error),
            });
            self.release();
            return Err(error);
        }
        tracing::debug!(elapsed = ?begun.elapsed(), "the virtual machine runs");
        *self.stage() = Stage::Running {
            boot_deadline: begun + self.boot_timeout,
        };
        // Somebody may have wanted its end while the framework did not allow it yet.
        if self.life.is_to_end() {
            self.power_off();
        }
        Ok(())
    }

    async fn stop(&self) -> Result<(), Error> {
        match self.boot_deadline() {
            Err(Error::Exited(_)) => return Ok(()),
            other => other?,
        };
        self.life.ask_to_stop();
        self.power_off();
        if timeout(STOP_TIMEOUT, self.life.wait()).await.is_err() {
            self.release();
            self.life.wait().await;
        }
        Ok(())
    }

    fn kill(&self) {
        self.life.ask_to_stop();
        self.power_off();
    }

    async fn pause(&self) -> Result<(), Error> {
        self.boot_deadline()?;
        let pause: Method = VZVirtualMachine::pauseWithCompletionHandler;
        self.step("pause the virtual machine", STEP_TIMEOUT, pause).await
    }

    async fn resume(&self) -> Result<(), Error> {
        self.boot_deadline()?;
        let resume: Method = VZVirtualMachine::resumeWithCompletionHandler;
        self.step("resume the virtual machine", STEP_TIMEOUT, resume)
            .await
    }

    async fn connect(&self, port: u32) -> Result<Connection, Error> {
        let begun = Instant::now();
        let deadline = self.boot_deadline()?.max(begun + CONNECT_TIMEOUT);
        let attempt = || {
            let (answer, answered) = oneshot::channel();
            self.parts.run(move |parts| parts.connect(port, answer));
            // Without an answer there is no machine any more.
            let gone = |_| Err(io::ErrorKind::NotConnected.into());
            async move { answered.await.unwrap_or_else(gone) }
        };
        let dialled = tokio::select! {
            biased;
            reason = self.life.wait() => return Err(Error::Exited(reason)),
            dialled = dial(attempt, deadline) => dialled,
        };
        match dialled {
            Ok(link) => {
                tracing::debug!(port, elapsed = ?begun.elapsed(), "connected to the guest");
                link.into_stream().map_err(|source| Error::Port { port, source })
            }
            Err(refusal) => {
                tracing::debug!(port, ?refusal, "the guest did not answer");
                Err(Error::Silent {
                    port,
                    timeout: deadline - begun,
                    boot_log: BootLog::read(&self.log.path, self.log.start).last_lines(),
                })
            }
        }
    }

    fn listen(&self, port: u32) -> Result<Box<dyn Listener>, Error> {
        self.boot_deadline()?;
        // Waits, so that the port is open when the guest hears of it.
        let connections = self
            .parts
            .with(|parts| parts.listen(port))
            .map_err(|source| Error::Port { port, source })?;
        Ok(Box::new(GuestListener {
            number: port,
            connections,
            life: Arc::clone(&self.life),
            parts: self.parts.downgrade(),
        }))
    }

    async fn wait(&self) -> ExitReason {
        self.life.wait().await
    }

    fn memory_in_use(&self) -> Result<u64, Error> {
        self.boot_deadline()?;
        Err(Error::MemoryUse(io::ErrorKind::Unsupported.into()))
    }
}

impl Drop for VzMachine {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
