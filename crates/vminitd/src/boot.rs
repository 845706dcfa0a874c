//! What the first process of a virtual machine sets up (behaviour.md 29.1).
//!
//! Nothing here is fatal: an agent that can still tell its host what is wrong is of more use than a kernel
//! panic.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::process::Pid;

use crate::cgroup::{self, Cgroup};
use crate::launcher::mount;
use crate::launcher::syscalls::MountCall;
use crate::log::log;

/// Memory of the agent, in bytes, from which on the kernel takes it away again.
const MEMORY_HIGH: u64 = 80 << 20;

/// Memory of the agent, in bytes, that the kernel leaves alone.
const MEMORY_LOW: u64 = 50 << 20;

const RESTRICTED: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;

/// A file system of the virtual machine: type, place, flags, options.
type Mount = (&'static str, &'static str, libc::c_ulong, Option<&'static str>);

/// What the way to the host is found with.
const FIRST_MOUNTS: [Mount; 3] = [
    ("proc", "/proc", RESTRICTED, None),
    ("sysfs", "/sys", RESTRICTED, None),
    ("devtmpfs", "/dev", libc::MS_NOSUID, Some("mode=0755")),
];

/// What the host's requests need.
const OTHER_MOUNTS: [Mount; 6] = [
    (
        "tmpfs",
        "/run",
        libc::MS_NOSUID | libc::MS_NODEV,
        Some("mode=0755"),
    ),
    (
        "tmpfs",
        "/tmp",
        libc::MS_NOSUID | libc::MS_NODEV,
        Some("mode=1777"),
    ),
    (
        "devpts",
        "/dev/pts",
        libc::MS_NOSUID | libc::MS_NOEXEC,
        Some("gid=5,mode=0620,ptmxmode=0666"),
    ),
    // Every container begins with moves between groups, which otherwise wait for a grace period each.
    ("cgroup2", cgroup::MOUNT, RESTRICTED, Some("favordynmods")),
    ("binfmt_misc", "/proc/sys/fs/binfmt_misc", RESTRICTED, None),
    ("securityfs", "/sys/kernel/security", RESTRICTED, None),
];

/// Mounts what the way to the host is found with, and raises the limit of open files, which every process inherits.
pub(crate) fn begin() {
    mount_all(&FIRST_MOUNTS);
    if let Err(error) = raise_open_files() {
        log!("cannot raise the limit of open files: {error}");
    }
}

/// Mounts the other file systems and hands out the cgroup controllers: what must be there before the first request
/// is served, and may be done beside finding the way to the host.
pub(crate) fn complete() {
    // Mounting the groups would be the first to wait.
    if let Err(error) = hurry_grace_periods() {
        log!("cannot hurry grace periods: {error}");
    }
    mount_all(&OTHER_MOUNTS);
    if let Err(error) = cgroup::enable_controllers(Path::new(cgroup::MOUNT)) {
        log!("cannot enable cgroup controllers: {error}");
    }
}

fn mount_all(mounts: &[Mount]) {
    for &(fstype, target, flags, data) in mounts {
        if let Err(error) = mount_one(fstype, Path::new(target), flags, data) {
            log!("cannot mount {target}: {error}");
        }
    }
}

fn mount_one(fstype: &str, target: &Path, flags: libc::c_ulong, data: Option<&str>) -> io::Result<()> {
    let call = MountCall {
        source: Some(Path::new(fstype)),
        fstype: Some(fstype),
        flags,
        data,
    };
    match mount(target, &call) {
        // Only /dev/pts has no place to be mounted at, in a fresh devtmpfs.
        Err(error) if error.kind() == io::ErrorKind::NotFound && target.starts_with("/dev") => {
            fs::create_dir(target)?;
            mount(target, &call)
        }
        // A kernel without a feature has no place for its file system, or does not know it.
        Err(error) if matches!(fstype, "binfmt_misc" | "securityfs") && is_missing(&error) => Ok(()),
        // A kernel before 6.1 does not know the option.
        Err(error) if fstype == "cgroup2" && error.kind() == io::ErrorKind::InvalidInput => {
            mount(target, &MountCall { data: None, ..call })
        }
        // The kernel has done it.
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        result => result,
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV))
}

/// Makes the kernel interrupt its processors rather than wait for them before it frees what they may be looking at:
/// mounts, name spaces and groups come and go at once then, and there are few processors to interrupt.
fn hurry_grace_periods() -> io::Result<()> {
    match fs::write("/sys/kernel/rcu_expedited", "1") {
        Err(error) if is_missing(&error) => Ok(()),
        result => result,
    }
}

fn raise_open_files() -> io::Result<()> {
    let most = fs::read_to_string("/proc/sys/fs/nr_open")?;
    let most = most.trim().parse().map_err(io::Error::other)?;
    let limit = rustix::process::Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        limit,
    )?)
}

/// Moves the agent and its launcher to a control group of their own, and says when it uses more memory than it should. Blocks
/// for as long as the agent lives: moving takes the kernel milliseconds that the start should not wait for.
pub(crate) fn contain(launcher: Pid, started: Instant) {
    match move_to_own_group(launcher) {
        Ok(group) => {
            log!("in its own cgroup after {} ms", started.elapsed().as_millis());
            watch_memory(&group);
        }
        Err(error) => log!("cannot move to an own cgroup: {error}"),
    }
}

fn move_to_own_group(launcher: Pid) -> crate::error::Result<Cgroup> {
    use crate::error::Context;
    let group = Cgroup::create(Path::new("/vminitd"))?;
    for (file, value) in [("memory.high", MEMORY_HIGH), ("memory.low", MEMORY_LOW)] {
        // A kernel without the controller is still one to run in.
        if group.read(file).is_some() {
            group
                .write(file, &value.to_string())
                .context(|| format!("failed to set {file}"))?;
        }
    }
    for pid in [0, launcher.as_raw_nonzero().get()] {
        group
            .write("cgroup.procs", &pid.to_string())
            .context(|| "failed to move".into())?;
    }
    Ok(group)
}

/// Waits for the kernel to say that the counters of the group have changed.
fn watch_memory(group: &Cgroup) {
    let Ok(mut events) = group.open_file("memory.events") else {
        return;
    };
    let mut seen = 0;
    // What ends this ends a warning, and nothing else.
    while let Ok(text) = next_change(&mut events) {
        let high = cgroup::counter(&text, "high").unwrap_or(0);
        if high > seen {
            seen = high;
            log!("memory.high of the agent was reached {high} times");
        }
    }
}

/// Waits until a file of the kernel is not what was last read from it through this descriptor, and reads it.
fn next_change(file: &mut File) -> io::Result<String> {
    rustix::event::poll(&mut [PollFd::new(file, PollFlags::PRI)], None)?;
    // A descriptor that is not read through stays ready for ever.
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}
