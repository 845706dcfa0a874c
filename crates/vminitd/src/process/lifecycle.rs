//! One process, from its creation to its deletion.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libc::c_int;
use rustix::termios::Winsize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::reaper::{Exit, Reaper};
use super::stdio::{Prepared, Stdio, Streams};
use crate::error::{Context, Error, Result, blocking};
use crate::launcher::{Child, Control, Failure, Launcher, Report, Request, What};

/// What the launcher is asked for.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) what: What,
    pub(super) terminal: bool,
}

/// A process of a container.
#[derive(Debug)]
pub(crate) struct Process {
    id: String,
    launch: Launch,
    exit: watch::Sender<Option<Exit>>,
    /// Nobody will ever know how the process ended.
    abandoned: CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Created { streams: Streams, size: Option<Winsize> },
    Starting,
    Started { child: Arc<Child>, stdio: Stdio },
    Failed,
}

impl Process {
    pub(super) fn new(id: String, launch: Launch, streams: Streams) -> Self {
        Self {
            id,
            launch,
            exit: watch::Sender::new(None),
            abandoned: CancellationToken::new(),
            state: Mutex::new(State::Created { streams, size: None }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn not_running(&self) -> Error {
        Error::State(format!("process {} is not running", self.id))
    }

    /// Runs the process, in a control group, and inside a container unless it is the container's first one.
    /// Returns its process id when it has become its program.
    pub(super) async fn start(
        self: Arc<Self>,
        reaper: Reaper,
        launcher: Arc<Launcher>,
        cgroup: Option<OwnedFd>,
        container: Option<Arc<Child>>,
    ) -> Result<i32> {
        let (streams, size) = self.begin()?;
        let process = Arc::clone(&self);
        let launched = blocking(move || process.launch(streams, &reaper, &launcher, cgroup, container)).await;
        let started = launched.and_then(|(child, prepared, terminal)| {
            let stdio = prepared
                .start(terminal)
                .context(|| "failed to copy standard input and output".into())?;
            if let (Some(terminal), Some(size)) = (stdio.terminal(), size) {
                rustix::termios::tcsetwinsize(terminal, size)
                    .context(|| "failed to resize the terminal".into())?;
            }
            Ok((child, stdio))
        });
        match started {
            Ok((child, stdio)) => {
                let pid = child.pid.as_raw_nonzero().get();
                let child = Arc::new(child);
                *self.state() = State::Started { child, stdio };
                Ok(pid)
            }
            Err(error) => {
                *self.state() = State::Failed;
                self.abandoned.cancel();
                Err(error)
            }
        }
    }

    /// What a process that was not started yet starts with.
    fn begin(&self) -> Result<(Streams, Option<Winsize>)> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Starting) {
            State::Created { streams, size } => Ok((streams, size)),
            other => {
                *state = other;
                Err(Error::State(format!("process {} was started already", self.id)))
            }
        }
    }

    /// Asks the launcher for the process, and listens to it until it has become its program.
    fn launch(
        &self,
        streams: Streams,
        reaper: &Reaper,
        launcher: &Launcher,
        cgroup: Option<OwnedFd>,
        container: Option<Arc<Child>>,
    ) -> Result<(Child, Prepared, Option<OwnedFd>)> {
        let (fds, prepared) = streams.prepare(self.launch.terminal)?;
        let (theirs, ours) = Control::pair().context(|| "failed to launch".into())?;
        let request = Request {
            what: &self.launch.what,
            stdio: fds.borrow(),
            control: theirs.as_fd(),
            cgroup: cgroup.as_ref().map(AsFd::as_fd),
            container: container.as_ref().map(|container| container.pidfd.as_fd()),
        };
        let child = reaper
            .watch(self.exit.clone(), || launcher.launch(&request))
            .context(|| "failed to launch".into())?;
        // The ends of streams are seen when nobody else has their other ends open.
        drop(fds);
        drop(theirs);
        match listen(&ours) {
            Ok(terminal) => Ok((child, prepared, terminal)),
            Err(error) => {
                let _ = send_signal(&child.pidfd, libc::SIGKILL);
                Err(error)
            }
        }
    }

    /// The process, which must be running.
    pub(super) fn running(&self) -> Result<Arc<Child>> {
        match &*self.state() {
            State::Started { child, .. } if !self.has_ended() => Ok(Arc::clone(child)),
            _ => Err(self.not_running()),
        }
    }

    fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits for the end of the process, however long that takes.
    pub(super) async fn wait(&self) -> Result<Exit> {
        let mut exit = self.exit.subscribe();
        let ended = tokio::select! {
            biased;
            () = self.abandoned.cancelled() => None,
            exit = exit.wait_for(Option::is_some) => exit.ok().and_then(|exit| *exit),
        };
        ended.ok_or_else(|| self.not_running())
    }

    /// Sends those away who wait for a process that is forgotten before it was started.
    pub(super) fn abandon(&self) {
        if !self.has_ended() {
            self.abandoned.cancel();
        }
    }

    /// Sends a signal. A process that has ended takes every signal.
    pub(super) fn kill(&self, signal: c_int) -> Result<()> {
        match &*self.state() {
            State::Started { .. } if self.has_ended() => Ok(()),
            State::Started { child, .. } => match send_signal(&child.pidfd, signal) {
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
                result => result.context(|| format!("failed to send signal {signal} to process {}", self.id)),
            },
            _ => Err(self.not_running()),
        }
    }

    /// Sets the size of the process's terminal, now or when it is started.
    pub(super) fn resize(&self, rows: u16, columns: u16) -> Result<()> {
        let new = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        if !self.launch.terminal {
            return Err(Error::State(format!("process {} has no terminal", self.id)));
        }
        match &mut *self.state() {
            State::Created { size, .. } => *size = Some(new),
            State::Started { stdio, .. } if !self.has_ended() => {
                if let Some(terminal) = stdio.terminal() {
                    rustix::termios::tcsetwinsize(terminal, new)
                        .context(|| "failed to resize the terminal".into())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the process's standard input.
    pub(super) fn close_stdin(&self) -> Result<()> {
        match &*self.state() {
            State::Started { stdio, .. } => {
                stdio.close_stdin();
                Ok(())
            }
            _ => Err(self.not_running()),
        }
    }

    /// Fails unless the process may be forgotten: it has ended, or never began.
    pub(super) fn check_deletable(&self) -> Result<()> {
        match &*self.state() {
            State::Created { .. } | State::Failed => Ok(()),
            State::Started { .. } if self.has_ended() => Ok(()),
            _ => Err(Error::State(format!("process {} is still running", self.id))),
        }
    }
}

/// Listens to the launcher until it is gone. The agent's side of the terminal, if there is one.
fn listen(control: &Control) -> Result<Option<OwnedFd>> {
    let (mut terminal, mut ready) = (None, false);
    while let Some(report) = control
        .receive()
        .context(|| "failed to listen to the launcher".into())?
    {
        match report {
            Report::Terminal(fd) => terminal = Some(fd),
            Report::Ready => ready = true,
            Report::Failed(failure, text) => {
                let text = format!("vmexec error: {text}");
                return Err(match failure {
                    Failure::NotFound => Error::NotFound(text),
                    Failure::Denied => Error::State(text),
                    Failure::Other => Error::Internal(text),
                });
            }
        }
    }
    if ready {
        Ok(terminal)
    } else {
        Err(Error::Internal("vmexec error: ended without a word".into()))
    }
}

fn send_signal(pidfd: &OwnedFd, signal: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the null pointer asks for what kill(2) would send.
    let result = unsafe {
        let information = std::ptr::null::<libc::siginfo_t>();
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            information,
            0,
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
