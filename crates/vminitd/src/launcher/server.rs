//! The launcher's process, and the agent's way to it.
//!
//! A process with one thread may clone itself and go on doing anything; the agent, which has several, may
//! not. So one such process is forked off before the agent has a second thread, and waits. A container's
//! process then costs one clone of a small process, and no exec but its own program's.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use rustix::process::Pid;

use super::request::{self, Child, Fds, Message, Request, What, clone_sibling};
use super::syscalls::Syscalls;
use super::{Control, Error, Linux, become_process, socket};
use crate::log::log;

/// Descriptor of a launcher that was started anew.
const SOCKET_FD: RawFd = 3;

/// The agent's way to the launcher.
#[derive(Debug)]
pub(crate) struct Launcher {
    socket: Mutex<OwnedFd>,
    pid: Pid,
}

impl Launcher {
    /// Forks the launcher off. The calling process must have one thread.
    pub(crate) fn fork() -> io::Result<Self> {
        let (ours, theirs) = socket::pair()?;
        // SAFETY: there is one thread, so the child may go on as if nothing had happened.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(ours);
                leave(serve(&theirs))
            }
            pid => Ok(Self {
                socket: Mutex::new(ours),
                pid: Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?,
            }),
        }
    }

    /// The process id of the launcher that was forked off.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Launches a process. A launcher that has died is started anew first: one may be asked to kill
    /// every process there is.
    pub(crate) fn launch(&self, request: &Request<'_>) -> io::Result<Child> {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        match request.ask(socket.as_fd()) {
            Err(error) if is_gone(&error) => {
                log!("launcher is gone: {error}");
                *socket = start_anew()?;
                request.ask(socket.as_fd())
            }
            result => result,
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// Runs the agent's own binary as the launcher.
fn start_anew() -> io::Result<OwnedFd> {
    let (ours, theirs) = socket::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0("vmexec");
    let fd = theirs.as_raw_fd();
    // SAFETY: only async-signal-safe calls.
    unsafe {
        command.pre_exec(move || {
            // A descriptor that has the number already would still be closed by exec.
            if fd == SOCKET_FD {
                rustix::io::fcntl_setfd(
                    std::os::fd::BorrowedFd::borrow_raw(fd),
                    rustix::io::FdFlags::empty(),
                )?;
            } else if libc::dup2(fd, SOCKET_FD) < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    // The reaper waits for it, as for every other process.
    drop(command.spawn()?);
    Ok(ours)
}

/// The launcher, started anew.
pub fn main() -> i32 {
    // SAFETY: whoever starts this mode gives it the descriptor, and it is used nowhere else.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET_FD) };
    match serve(&socket) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("vmexec: {error}");
            1
        }
    }
}

/// Ends the process without anything that Rust or C would do at exit, which is the agent's to do.
fn leave(result: io::Result<()>) -> ! {
    if let Err(error) = &result {
        log!("launcher ended: {error}");
    }
    // SAFETY: takes no pointers, and does not return.
    unsafe { libc::_exit(result.is_err().into()) }
}

/// Launches what the agent asks for, until the agent is gone.
fn serve(socket: &OwnedFd) -> io::Result<()> {
    rustix::thread::set_name(c"vmexec")?;
    // Which process ids the children have can be changed, and changed back.
    let own = File::open("/proc/self/ns/pid")?;
    while let Some((message, fds)) = request::next(socket.as_fd())? {
        if let Some(container) = &fds.container {
            let entered = Linux.join(container.as_fd(), libc::CLONE_NEWPID);
            if let Err(error) = entered {
                request::answer(socket.as_fd(), &Err(error))?;
                continue;
            }
        }
        let namespaces = match message.what {
            What::Run { namespaces, .. } => namespaces,
            What::Exec { .. } => 0,
        };
        let cloned = match clone_sibling(namespaces, fds.cgroup.as_ref().map(AsFd::as_fd)) {
            Ok(None) => child(&message, fds),
            Ok(Some(child)) => Ok(child),
            Err(error) => Err(error),
        };
        if fds.container.is_some() {
            Linux.join(own.as_fd(), libc::CLONE_NEWPID)?;
        }
        drop(fds);
        request::answer(socket.as_fd(), &cloned)?;
    }
    Ok(())
}

/// The new process: becomes the container's, or tells the agent why not.
fn child(message: &Message, fds: Fds) -> ! {
    let control = Control::from_fd(fds.control);
    let error = match place(&fds.stdio) {
        Err(source) => Error::Step {
            what: "set up standard input and output".into(),
            source,
        },
        Ok(()) => {
            let Err(error) = become_process(&message.what, fds.container.as_ref(), &control);
            error
        }
    };
    // Without the agent there is nobody to tell.
    let _ = control.failed(&error);
    // SAFETY: takes no pointers, and does not return.
    unsafe { libc::_exit(127) }
}

/// Puts descriptors at 0 to 2.
fn place(fds: &[OwnedFd; 3]) -> io::Result<()> {
    for (number, fd) in (0..).zip(fds) {
        // SAFETY: plain numbers; 0 to 2 are the launcher's own, which this process does not need.
        if unsafe { libc::dup2(fd.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
