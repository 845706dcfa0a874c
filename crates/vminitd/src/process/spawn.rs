//! Starting the launcher: one clone, straight into the container's namespaces and control group.
//!
//! Moving a running process to another control group costs the kernel milliseconds; being born there costs
//! nothing.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int, c_long};
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use rustix::process::Pid;

use crate::error::{Error, Result};

/// The agent's own binary, which is the launcher's too.
const SELF: &std::ffi::CStr = c"/proc/self/exe";

/// Has the child born in the control group of [`CloneArguments`]. The constant of `libc` is too narrow.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What the clone starts with.
#[derive(Debug)]
pub(super) struct Clone<'a> {
    /// Command line.
    pub(super) args: &'a [&'a str],
    /// New namespaces, as flags of clone(2).
    pub(super) namespaces: c_int,
    /// A process whose process id namespace it is born into.
    pub(super) join: Option<BorrowedFd<'a>>,
    /// Control group.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    /// Its descriptors from 0 on.
    pub(super) fds: &'a [BorrowedFd<'a>],
}

/// A new process.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
}

/// The namespaces that a clone can start with, as flags of clone(2). The control group namespace is left to
/// the launcher: it would start at the agent's group.
///
/// # Errors
/// A namespace that is to be shared with something else, or one that needs more than a flag.
pub(super) fn namespaces(spec: &Spec) -> Result<c_int> {
    let listed = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.namespaces().as_ref());
    let mut flags = 0;
    for namespace in listed.into_iter().flatten() {
        let kind = namespace.typ();
        if namespace.path().is_some() {
            return Err(Error::Unsupported(format!(
                "joining a {kind} namespace is not supported"
            )));
        }
        flags |= match kind {
            LinuxNamespaceType::Cgroup => 0,
            LinuxNamespaceType::Ipc => libc::CLONE_NEWIPC,
            LinuxNamespaceType::Mount => libc::CLONE_NEWNS,
            LinuxNamespaceType::Network => libc::CLONE_NEWNET,
            LinuxNamespaceType::Pid => libc::CLONE_NEWPID,
            LinuxNamespaceType::Uts => libc::CLONE_NEWUTS,
            LinuxNamespaceType::User | LinuxNamespaceType::Time => {
                return Err(Error::Unsupported(format!("a {kind} namespace is not supported")));
            }
        };
    }
    if flags & libc::CLONE_NEWNS == 0 {
        return Err(Error::Invalid(
            "a container needs a mount namespace of its own".into(),
        ));
    }
    Ok(flags)
}

impl Clone<'_> {
    /// Starts the process.
    pub(super) fn start(&self) -> io::Result<Child> {
        match self.join {
            None => self.clone_here(),
            // Only the children of the thread that enters a process id namespace are born there, and it
            // cannot be left for good. So a thread is made for it.
            Some(container) => std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().spawn_scoped(scope, || {
                    // SAFETY: the descriptor is open, and no pointers are passed.
                    if unsafe { libc::setns(container.as_raw_fd(), libc::CLONE_NEWPID) } < 0 {
                        return Err(io::Error::last_os_error());
                    }
                    self.clone_here()
                })?;
                thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("thread panicked")))
            }),
        }
    }

    fn clone_here(&self) -> io::Result<Child> {
        let args: Vec<CString> = self
            .args
            .iter()
            .map(|arg| CString::new(*arg))
            .collect::<std::result::Result<_, _>>()?;
        let argv: Vec<*const c_char> = args.iter().map(|arg| arg.as_ptr()).chain([ptr::null()]).collect();
        let env: [*const c_char; 1] = [ptr::null()];
        // Out of the way of the numbers that the child puts them at.
        let first = RawFd::try_from(self.fds.len()).map_err(io::Error::other)?.max(3);
        let fds: Vec<OwnedFd> = self
            .fds
            .iter()
            .map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, first))
            .collect::<std::result::Result<_, _>>()?;
        let numbers: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();

        let mut pidfd: RawFd = -1;
        let mut flags = libc::CLONE_PIDFD as u64 | self.namespaces as u32 as u64;
        if self.cgroup.is_some() {
            flags |= CLONE_INTO_CGROUP;
        }
        let arguments = CloneArguments {
            flags,
            pidfd: &raw mut pidfd as u64,
            exit_signal: libc::SIGCHLD as u64,
            cgroup: self.cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64),
            ..CloneArguments::default()
        };
        // SAFETY: without CLONE_VM this is fork(2): the child has a copy of everything. Since the agent has other
        // threads, which may hold locks, the child only makes system calls with what was prepared above.
        let pid = unsafe {
            libc::syscall(
                libc::SYS_clone3,
                &raw const arguments,
                size_of::<CloneArguments>(),
            )
        };
        match pid {
            0 => child(&numbers, &argv, &env),
            -1 => Err(io::Error::last_os_error()),
            pid => started(pid, pidfd),
        }
    }
}

fn started(pid: c_long, pidfd: RawFd) -> io::Result<Child> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidData)?;
    // SAFETY: the kernel made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// The child's side: no allocation, no locks, no return.
fn child(fds: &[RawFd], argv: &[*const c_char], env: &[*const c_char]) -> ! {
    // SAFETY: only async-signal-safe calls; the arrays end with null and hold terminated strings.
    unsafe {
        for (number, fd) in (0..).zip(fds) {
            if libc::dup2(*fd, number) < 0 {
                libc::_exit(127);
            }
        }
        libc::execve(SELF.as_ptr(), argv.as_ptr(), env.as_ptr());
        libc::_exit(127)
    }
}

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

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flags(namespaces: serde_json::Value) -> Result<c_int> {
        let spec = json!({ "ociVersion": "1.1.0", "linux": { "namespaces": namespaces } });
        namespaces_of(spec)
    }

    fn namespaces_of(spec: serde_json::Value) -> Result<c_int> {
        namespaces(&serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn namespaces_become_flags() {
        let listed = json!([{ "type": "cgroup" }, { "type": "ipc" }, { "type": "mount" }, { "type": "pid" }, { "type": "uts" }]);
        let expected = libc::CLONE_NEWIPC | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWUTS;
        assert_eq!(flags(listed).unwrap(), expected);
    }

    #[test]
    fn namespaces_that_cannot_be_had_are_refused() {
        assert!(flags(json!([{ "type": "mount", "path": "/proc/1/ns/mnt" }])).is_err());
        assert!(flags(json!([{ "type": "mount" }, { "type": "user" }])).is_err());
        assert!(flags(json!([{ "type": "pid" }])).is_err());
        assert!(namespaces_of(json!({ "ociVersion": "1.1.0" })).is_err());
    }
}
