//! A QEMU process: how it starts with nothing but what it needs, and how its end is noticed.

use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::sync::{oneshot, watch};

use super::privileges::Privileges;
use crate::boot_log::printable;

/// Bytes of QEMU's own messages that are kept.
const MESSAGES: usize = 4096;

/// What to start.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Descriptors that the process inherits, under the numbers they have here.
    pub(super) inherited: Vec<OwnedFd>,
    pub(super) privileges: Option<Privileges>,
}

/// How a process ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What it wrote to its standard error last.
    pub(super) messages: String,
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    pidfd: OwnedFd,
    ended: watch::Receiver<Option<Ended>>,
}

impl Process {
    /// Starts a process on a thread of its own, which then waits for its end. The kernel kills the process when that
    /// thread ends early, which it does only with this whole program: so no machine survives its helper.
    pub(super) async fn start(launch: Launch) -> io::Result<Self> {
        let (report, started) = oneshot::channel();
        let (end, ended) = watch::channel(None);
        thread::Builder::new().name("child".to_owned()).spawn(move || {
            let mut child = match spawn(launch) {
                Ok((child, pidfd)) => {
                    let process = Self {
                        pid: child.id(),
                        pidfd,
                        ended,
                    };
                    // Nobody waits any more: dropping the answer kills the process.
                    drop(report.send(Ok(process)));
                    child
                }
                Err(error) => {
                    drop(report.send(Err(error)));
                    return;
                }
            };
            let messages = last_messages(&mut child);
            if let Ok(status) = child.wait() {
                end.send_replace(Some(Ended { status, messages }));
            }
        })?;
        started.await.map_err(io::Error::other)?
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills it, if it still runs.
    pub(super) fn kill(&self) {
        // It fails only when the process is over.
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// What tells of its end.
    pub(super) fn ended(&self) -> watch::Receiver<Option<Ended>> {
        self.ended.clone()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(launch: Launch) -> io::Result<(Child, OwnedFd)> {
    let Launch {
        program,
        arguments,
        inherited,
        privileges,
    } = launch;
    let descriptors: Vec<RawFd> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
    let parent = std::process::id();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: the closure makes system calls only; it neither allocates nor takes locks.
    unsafe { command.pre_exec(move || confine(&descriptors, privileges, parent)) };
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => Ok((child, pidfd)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error.into())
        }
    }
}

/// What the new process does to itself before it becomes QEMU.
fn confine(descriptors: &[RawFd], privileges: Option<Privileges>, parent: u32) -> io::Result<()> {
    let check = |result: libc::c_int| {
        if result == -1 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    };
    // SAFETY: plain system calls, whose arguments are numbers or point to locals that outlive them.
    unsafe {
        // Libraries of this program may have opened descriptors without the close-on-exec flag.
        check(libc::close_range(
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_int,
        ))?;
        for descriptor in descriptors {
            check(libc::fcntl(*descriptor, libc::F_SETFD, 0))?;
        }
        // The guest's memory is nothing for core files.
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        check(libc::setrlimit(libc::RLIMIT_CORE, &raw const none))?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
    }
    if let Some(privileges) = privileges {
        privileges.give_up()?;
    }
    // SAFETY: as above. After the change of user, which takes the signal back.
    unsafe {
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        if libc::getppid().unsigned_abs() != parent {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    Ok(())
}

/// Reads standard error until the process closes it, which is when it ends.
fn last_messages(child: &mut Child) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    if let Some(mut messages) = child.stderr.take() {
        loop {
            match messages.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => kept.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            let excess = kept.len().saturating_sub(MESSAGES);
            kept.drain(..excess);
        }
    }
    printable(String::from_utf8_lossy(&kept).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Launch {
        Launch {
            program: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            inherited: Vec::new(),
            privileges: None,
        }
    }

    async fn run(launch: Launch) -> Ended {
        let process = Process::start(launch).await.unwrap();
        let mut ended = process.ended();
        ended.wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }

    #[tokio::test]
    async fn the_environment_is_empty_and_only_given_descriptors_are_open() {
        let (kept, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let number = kept.as_raw_fd();
        // A descriptor that some library left inheritable.
        let leaked = rustix::io::dup(&kept).unwrap();
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
        let mut launch = shell("exec >&2; ulimit -c; export -p; echo :; ls /proc/$$/fd");
        launch.inherited.push(kept.into());
        let ended = run(launch).await;
        let (settings, open) = ended.messages.split_once(":\n").unwrap();
        assert!(settings.starts_with("0\n"), "{settings}");
        let mut open: Vec<RawFd> = open.lines().map(|line| line.parse().unwrap()).collect();
        open.sort_unstable();
        assert_eq!(open, [0, 1, 2, number]);
        assert!(
            !ended.messages.contains("HOME") && !ended.messages.contains("CARGO"),
            "{}",
            ended.messages
        );
    }

    #[tokio::test]
    async fn the_last_messages_are_kept() {
        let ended = run(shell("for i in $(seq 2000); do echo line $i >&2; done; exit 3")).await;
        assert_eq!(ended.status.code(), Some(3));
        assert!(ended.messages.ends_with("line 2000") && ended.messages.len() <= MESSAGES);
    }

    #[tokio::test]
    async fn dropping_kills() {
        let process = Process::start(shell("exec sleep 1000")).await.unwrap();
        let mut ended = process.ended();
        drop(process);
        let ended = ended.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&ended.status),
            Some(libc::SIGKILL)
        );
    }

    #[tokio::test]
    async fn a_program_that_cannot_be_run_is_an_error() {
        let launch = Launch {
            program: "/nonexistent/qemu".into(),
            ..shell("")
        };
        assert_eq!(
            Process::start(launch).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
