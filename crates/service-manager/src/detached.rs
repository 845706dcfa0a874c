//! Plain processes that nobody supervises.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Stdio;

use container_ipc::unix::LISTENER_FD;
use tokio::process::Command;

use crate::error::{Error, Result};
use crate::job::Job;
use crate::launcher::Launcher;
use crate::platform;

/// Starts a job as a process with a session of its own, nothing to read, its output in the log, no
/// descriptor of the starter, and no tie to it: it is adopted by init when the starter ends, and reaped by
/// it as long as it runs.
///
/// It stays in the starter's control group. A service unit whose jobs should survive it therefore has
/// `KillMode=process`, as [`systemd::unit`](crate::systemd::unit) writes it.
#[derive(Clone, Copy, Debug)]
pub struct Detached;

impl Launcher for Detached {
    async fn launch(&self, job: &Job) -> Result<i32> {
        spawn(job, None)
    }
}

/// Starts a job like [`Detached`] and leaves it a listening socket as descriptor [`LISTENER_FD`]. Its clients
/// can connect before it runs. The starter's copy is closed with this value.
#[derive(Debug)]
pub struct Activated(OwnedFd);

impl Activated {
    /// Hands `socket` down.
    pub fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }
}

impl Launcher for Activated {
    async fn launch(&self, job: &Job) -> Result<i32> {
        spawn(job, Some(self.0.as_fd()))
    }
}

fn spawn(job: &Job, socket: Option<BorrowedFd<'_>>) -> Result<i32> {
    let log = open_log(&job.log)?;
    let errors = log.try_clone().map_err(|source| Error::File {
        path: job.log.clone(),
        source,
    })?;
    let failed = |source| Error::Spawn {
        program: job.program.clone(),
        source,
    };
    let mut command = Command::new(&job.program);
    command
        .args(&job.arguments)
        .env_clear()
        .envs(&job.environment)
        .current_dir(&job.working_directory)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors);
    // Takes the number if it is free, so that what reports a failed exec to the starter does not get it.
    let reserved = socket.map(|socket| rustix::io::fcntl_dupfd_cloexec(socket, LISTENER_FD));
    let _reserved = reserved.transpose().map_err(|error| failed(error.into()))?;
    let socket = socket.map(|socket| socket.as_raw_fd());
    // SAFETY: the hook only makes system calls, which is all that is allowed between fork and exec. The
    // descriptor in `socket` is open until the program runs, because its owner is borrowed that long.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            platform::keep_descriptors_private();
            socket.map_or(Ok(()), keep_as_listener)
        });
    }
    let mut child = command.spawn().map_err(failed)?;
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(|| Error::EndedAtOnce {
            label: job.label.clone(),
            log: job.log.clone(),
        })?;
    let label = job.label.clone();
    tokio::spawn(async move {
        match child.wait().await {
            Ok(status) => tracing::debug!(label, %status, "a service ended"),
            Err(error) => tracing::warn!(label, %error, "failed to wait for a service"),
        }
    });
    Ok(pid)
}

/// Makes `socket` the descriptor [`LISTENER_FD`], which survives exec. Called between fork and exec.
fn keep_as_listener(socket: RawFd) -> io::Result<()> {
    // SAFETY: both calls take numbers only. What has this number in the starter is not used after exec.
    let done =
        unsafe { libc::dup2(socket, LISTENER_FD) >= 0 && libc::fcntl(LISTENER_FD, libc::F_SETFD, 0) >= 0 };
    if done {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn open_log(path: &Path) -> Result<File> {
    let open = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new().append(true).create(true).open(path)
    };
    open().map_err(|source| Error::File {
        path: path.to_path_buf(),
        source,
    })
}
