//! What the agent asks the launcher for.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use libc::{c_int, c_long};
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::socket;

/// A process to launch, as it travels. Its descriptors travel beside it: standard input, output and error,
/// the launcher's end of its [`Control`](super::Control), then those that the message says there are.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) what: What,
    /// A descriptor of a control group is among the descriptors.
    pub(super) cgroup: bool,
}

/// What is launched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A container's first process.
    Run {
        /// The container's bundle.
        bundle: PathBuf,
        /// New namespaces, as flags of clone(2).
        namespaces: c_int,
    },
    /// A further process; a pidfd of the container's first one is the last descriptor.
    Exec {
        /// The process's configuration.
        process: PathBuf,
    },
}

/// A process to launch.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// What it is.
    pub(crate) what: &'a What,
    /// Standard input, output and error.
    pub(crate) stdio: [BorrowedFd<'a>; 3],
    /// Where it reports to.
    pub(crate) control: BorrowedFd<'a>,
    /// Control group to be born in.
    pub(crate) cgroup: Option<BorrowedFd<'a>>,
    /// A pidfd of the first process of the container to enter.
    pub(crate) container: Option<BorrowedFd<'a>>,
}

/// A new process, which is the agent's child.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: Pid,
    pub(crate) pidfd: OwnedFd,
}

/// The descriptors of a request, on the launcher's side.
#[derive(Debug)]
pub(super) struct Fds {
    pub(super) stdio: [OwnedFd; 3],
    pub(super) control: OwnedFd,
    pub(super) cgroup: Option<OwnedFd>,
    pub(super) container: Option<OwnedFd>,
}

impl Request<'_> {
    /// Asks the launcher at the other end of `socket`, and waits for its answer.
    pub(super) fn ask(&self, socket: BorrowedFd<'_>) -> io::Result<Child> {
        let message = Message {
            what: self.what.clone(),
            cgroup: self.cgroup.is_some(),
        };
        let fds: Vec<BorrowedFd<'_>> = self
            .stdio
            .into_iter()
            .chain([self.control])
            .chain(self.cgroup)
            .chain(self.container)
            .collect();
        socket::send(socket, &serde_json::to_vec(&message)?, &fds)?;
        let (answer, fds) = socket::receive(socket)?;
        if answer.is_empty() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let answer: Result<i32, i32> = serde_json::from_slice(&answer)?;
        let pid = answer.map_err(io::Error::from_raw_os_error)?;
        match (Pid::from_raw(pid), fds.into_iter().next()) {
            (Some(pid), Some(pidfd)) => Ok(Child { pid, pidfd }),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Waits for a request on the launcher's side; `None` when the agent is gone.
pub(super) fn next(socket: BorrowedFd<'_>) -> io::Result<Option<(Message, Fds)>> {
    let (message, fds) = socket::receive(socket)?;
    if message.is_empty() {
        return Ok(None);
    }
    let message: Message = serde_json::from_slice(&message)?;
    let mut fds = fds.into_iter();
    let mut take = || {
        fds.next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "descriptors are missing"))
    };
    let fds = Fds {
        stdio: [take()?, take()?, take()?],
        control: take()?,
        cgroup: message.cgroup.then(&mut take).transpose()?,
        container: matches!(message.what, What::Exec { .. })
            .then(&mut take)
            .transpose()?,
    };
    Ok(Some((message, fds)))
}

/// Answers a request.
pub(super) fn answer(socket: BorrowedFd<'_>, result: &io::Result<Child>) -> io::Result<()> {
    let (text, fds) = match result {
        Ok(child) => (Ok(child.pid.as_raw_nonzero().get()), vec![child.pidfd.as_fd()]),
        Err(error) => (Err(error.raw_os_error().unwrap_or(libc::EIO)), vec![]),
    };
    socket::send(socket, &serde_json::to_vec::<Result<i32, i32>>(&text)?, &fds)
}

/// Has the child born in the control group of [`CloneArguments`]. The constant of `libc` is too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of the kernel.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// Clones the calling process, which must have one thread, into new namespaces and a control group. The
/// child, for which this returns `None`, is a sibling: the caller's parent reaps it.
///
/// Moving a running process to another control group costs the kernel milliseconds; being born there costs
/// nothing.
pub(super) fn clone_sibling(namespaces: c_int, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Option<Child>> {
    let mut pidfd: RawFd = -1;
    let mut flags = (libc::CLONE_PIDFD | libc::CLONE_PARENT | namespaces) as u32 as u64;
    if cgroup.is_some() {
        flags |= CLONE_INTO_CGROUP;
    }
    let arguments = CloneArguments {
        flags,
        pidfd: &raw mut pidfd as u64,
        cgroup: cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64),
        ..CloneArguments::default()
    };
    // SAFETY: without CLONE_VM this is fork(2): the child has a copy of everything, and since there is one thread
    // only, no lock of it is held by anybody.
    let pid: c_long = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<CloneArguments>(),
        )
    };
    match pid {
        0 => Ok(None),
        -1 => Err(io::Error::last_os_error()),
        pid => {
            let pid = i32::try_from(pid)
                .ok()
                .and_then(Pid::from_raw)
                .ok_or(io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel made this descriptor for us.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Some(Child { pid, pidfd }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_keeps_its_descriptors_apart() {
        let (agent, launcher) = socket::pair().unwrap();
        let files: Vec<_> = (0..6).map(|_| tempfile::tempfile().unwrap()).collect();
        let what = What::Exec {
            process: "/run/x".into(),
        };
        let request = Request {
            what: &what,
            stdio: [files[0].as_fd(), files[1].as_fd(), files[2].as_fd()],
            control: files[3].as_fd(),
            cgroup: Some(files[4].as_fd()),
            container: Some(files[5].as_fd()),
        };
        let served = std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let (message, fds) = next(launcher.as_fd()).unwrap().unwrap();
                answer(launcher.as_fd(), &Err(io::Error::from_raw_os_error(libc::EPERM))).unwrap();
                (message, fds)
            });
            let error = request.ask(agent.as_fd()).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
            server.join().unwrap()
        });
        let inode = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).unwrap().st_ino;
        assert_eq!(served.0.what, what);
        assert_eq!(inode(served.1.control.as_fd()), inode(files[3].as_fd()));
        assert_eq!(inode(served.1.cgroup.unwrap().as_fd()), inode(files[4].as_fd()));
        assert_eq!(
            inode(served.1.container.unwrap().as_fd()),
            inode(files[5].as_fd())
        );
        drop(agent);
        assert!(next(launcher.as_fd()).unwrap().is_none());
    }
}
