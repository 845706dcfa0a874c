//! The two ways to launch: a container's first process, and one more process in a running container.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};

use super::Error;
use super::control::Control;
use super::error::Step;
use super::syscalls::{Kind, MountCall, Syscalls};
use super::{mounts, program};

/// Namespaces of a container that a further process enters. The process id namespace is entered by the
/// agent, since it only counts for children; the ipc namespace stays the virtual machine's.
const JOINED: libc::c_int = libc::CLONE_NEWCGROUP | libc::CLONE_NEWNS | libc::CLONE_NEWUTS;

/// Becomes a container's first process. The calling process is the first one of new namespaces, and in
/// the container's control group, already. Returns only to say why not.
///
/// # Errors
/// A step that the system refused, or a program that cannot be run.
pub fn run(sys: &impl Syscalls, spec: &Spec, control: &Control) -> Result<Infallible, Error> {
    let process = spec
        .process()
        .as_ref()
        .ok_or_else(|| Error::Configuration("container has no process".into()))?;
    let linux = spec.linux().as_ref();
    let namespaces = linux.and_then(|linux| linux.namespaces().as_ref());
    // A control group namespace starts at the group of the process that makes it, so not before that one has
    // been moved.
    if namespaces
        .into_iter()
        .flatten()
        .any(|namespace| namespace.typ() == LinuxNamespaceType::Cgroup)
    {
        sys.unshare(libc::CLONE_NEWCGROUP)
            .step(|| "leave the cgroup namespace".into())?;
    }
    sys.setsid().step(|| "start a session".into())?;
    mounts::enter(sys, spec)?;
    terminal(sys, process, control, true)?;
    if let Some(name) = spec.hostname() {
        sys.sethostname(name).step(|| "set the host name".into())?;
    }
    if let Some(name) = spec.domainname() {
        sys.setdomainname(name).step(|| "set the domain name".into())?;
    }
    if let Some(linux) = linux {
        let mut settings: Vec<_> = linux.sysctl().iter().flatten().collect();
        settings.sort();
        for (name, value) in settings {
            sys.write(&sysctl_path(name), value)
                .step(|| format!("set {name}"))?;
        }
        mounts::mask(sys, linux.masked_paths().as_deref().unwrap_or_default())?;
        mounts::make_read_only(sys, linux.readonly_paths().as_deref().unwrap_or_default())?;
    }
    program::become_process(sys, process, control)
}

/// Becomes one more process of the container whose first process the pidfd stands for. The calling process
/// is in the container's process id namespace and control group already. Returns only to say why not.
///
/// # Errors
/// A step that the system refused, or a program that cannot be run.
pub fn exec(
    sys: &impl Syscalls,
    process: &Process,
    container: BorrowedFd<'_>,
    control: &Control,
) -> Result<Infallible, Error> {
    sys.join(container, JOINED)
        .step(|| "enter the container".into())?;
    sys.setsid().step(|| "start a session".into())?;
    terminal(sys, process, control, false)?;
    program::become_process(sys, process, control)
}

/// Opens the process's terminal if it wants one, hands the other side to the agent, and makes it the
/// container's console for the first process.
fn terminal(sys: &impl Syscalls, process: &Process, control: &Control, console: bool) -> Result<(), Error> {
    if process.terminal() != Some(true) {
        return Ok(());
    }
    let size = process.console_size().and_then(|size| {
        Some((size.height().try_into().ok()?, size.width().try_into().ok()?)).filter(|size| *size != (0, 0))
    });
    let terminal = sys.open_terminal(size).step(|| "open a terminal".into())?;
    control
        .terminal(terminal.master.as_fd())
        .step(|| "report to the agent".into())?;
    if console {
        let path = Path::new("/dev/console");
        if sys.kind(path).step(|| "look for /dev/console".into())? == Kind::Missing {
            sys.create_file(path).step(|| "make /dev/console".into())?;
        }
        let bind = MountCall {
            source: Some(&terminal.path),
            flags: libc::MS_BIND,
            ..MountCall::default()
        };
        sys.mount(path, &bind).step(|| "bind /dev/console".into())?;
    }
    sys.attach_terminal(terminal.slave)
        .step(|| "attach the terminal".into())
}

/// Where a kernel setting is. Dots separate, unless slashes do: then a dot is part of a name.
pub(crate) fn sysctl_path(name: &str) -> std::path::PathBuf {
    let name = if name.contains('/') {
        name.to_owned()
    } else {
        name.replace('.', "/")
    };
    Path::new("/proc/sys").join(name.trim_start_matches('/'))
}
