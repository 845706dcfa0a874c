//! Serving the tree to the machine, from inside a sandbox.

use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use rustix::thread::{CapabilitySet, CapabilitySets};
use vhost::vhost_user::{Error as VhostError, Listener};
use vhost_user_backend::{Error as BackendError, VhostUserDaemon};
use virtiofsd::passthrough::{CachePolicy, Config, InodeFileHandlesMode, PassthroughFs};
use virtiofsd::sandbox::{Sandbox, SandboxMode};
use virtiofsd::seccomp::{SeccompAction, enable_seccomp};
use vm_memory::{GuestMemoryAtomic, GuestMemoryMmap};

use crate::announced::Announced;
use crate::device::Device;
use crate::identity::Identity;
use crate::locks::Locks;
use crate::owned::Owned;
use crate::tree;

/// How long the guest may believe what it knows of a name or a file's attributes: what is changed on the host shows in
/// the guest no later.
const STALE: Duration = Duration::from_millis(100);
/// Descriptors that this process needs for itself.
const OWN_DESCRIPTORS: u64 = 64;
/// Descriptors that locks may take, of those that this process may have: one in so many, and not more.
const LOCKS_SHARE: u64 = 8;
const LOCKS_MOST: u64 = 4096;
/// What file access as other users takes. The rest is given up.
const CAPABILITIES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// Serves the tree at [`tree::ROOT`] to whoever connects first, until that connection ends. The guest keeps nothing of
/// what is not `cached`, and asks each time.
///
/// # Errors
/// The sandbox cannot be made, or what connects is no virtual machine.
pub(crate) fn serve(socket: i32, identity: Identity, cached: bool) -> anyhow::Result<()> {
    let descriptors = virtiofsd::limits::setup_rlimit_nofile(None)
        .map_err(anyhow::Error::msg)
        .context("failed to raise the number of open files")?;
    // SAFETY: whoever started this process left an open descriptor of this number to it, which nothing else uses.
    let listener = unsafe { Listener::from_raw_fd(socket) };
    rustix::process::umask(rustix::fs::Mode::empty());
    // New namespaces took this back. The process that stays behind in `enter` only waits for its child.
    die_with_parent()?;
    let mut sandbox = Sandbox::new(tree::ROOT.to_owned(), SandboxMode::Namespace, vec![], vec![]);
    let mut listener = sandbox.enter(listener).context("failed to enter the sandbox")?;
    die_with_parent()?;

    let belief = if cached { STALE } else { Duration::ZERO };
    let of_locks = (descriptors / LOCKS_SHARE).min(LOCKS_MOST);
    let own = sandbox.get_proc_self_fd().context("there is no /proc")?;
    let locks = Locks::new(own.try_clone()?.into(), usize::try_from(of_locks)?, belief);
    let config = Config {
        entry_timeout: belief,
        attr_timeout: belief,
        cache_policy: if cached {
            CachePolicy::Auto
        } else {
            CachePolicy::Never
        },
        allow_mmap: true,
        root_dir: sandbox.get_root_dir(),
        xattr: true,
        proc_sfd_rawfd: Some(own),
        proc_mountinfo_rawfd: sandbox.get_mountinfo_fd(),
        // Each share is a file system of its own, whose files must not be confused with another's.
        announce_submounts: true,
        inode_file_handles: match identity {
            // Files that the guest knows need no descriptor each. Only the system's root may use handles.
            Identity::Same => InodeFileHandlesMode::Prefer,
            Identity::One => InodeFileHandlesMode::Never,
        },
        // The guest would ask for every file's capabilities before every write.
        killpriv_v2: true,
        uid_map: Some(identity.map()),
        gid_map: Some(identity.map()),
        guest_fd_limit: descriptors.saturating_sub(OWN_DESCRIPTORS + of_locks),
        ..Config::default()
    };
    enable_seccomp(SeccompAction::Kill, false).context("failed to filter system calls")?;
    give_up_capabilities()?;
    let files = PassthroughFs::new(config).context("failed to open the tree of shares")?;
    match identity {
        Identity::Same => answer(Device::new(Announced::new(files), locks)?, &mut listener),
        Identity::One => answer(Device::new(Announced::new(Owned(files)), locks)?, &mut listener),
    }
}

/// Answers the machine that connects until it is gone.
fn answer(device: Device, listener: &mut Listener) -> anyhow::Result<()> {
    let memory = GuestMemoryAtomic::new(GuestMemoryMmap::new());
    let mut daemon = VhostUserDaemon::new("shares".to_owned(), Arc::new(device), memory)
        .map_err(|error| anyhow::anyhow!("failed to set up the device: {error}"))?;
    daemon
        .start(listener)
        .map_err(|error| anyhow::anyhow!("failed to talk to the virtual machine: {error}"))?;
    match daemon.wait() {
        Ok(()) | Err(BackendError::HandleRequest(VhostError::Disconnected | VhostError::PartialMessage)) => {
            Ok(())
        }
        Err(error) => Err(anyhow::anyhow!("the virtual machine was lost: {error}")),
    }
}

fn die_with_parent() -> anyhow::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .context("failed to tie this process to its parent")
}

fn give_up_capabilities() -> anyhow::Result<()> {
    let sets = CapabilitySets {
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).context("failed to give up capabilities")
}
