//! Getting into the network's namespaces.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::process::{getegid, geteuid};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, UnshareFlags};

/// Namespaces to enter in place of new ones.
#[derive(Debug, Clone)]
pub struct Join {
    /// The network namespace.
    pub network: PathBuf,
    /// The user namespace it belongs to, if that is not the host's.
    pub user: Option<PathBuf>,
}

/// Whether this process may change the host's own network: then the network gets no user namespace and is connected
/// directly.
pub fn is_privileged() -> bool {
    let needed = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    let capable = rustix::thread::capabilities(None).is_ok_and(|sets| sets.effective.contains(needed));
    geteuid().is_root()
        && capable
        && is_initial(&fs::read_to_string("/proc/self/uid_map").unwrap_or_default())
}

/// Whether this is the map of the first user namespace: every user is itself.
fn is_initial(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// Moves this process, which must have one thread, into namespaces of its own, or into those of `join`.
pub(super) fn enter(join: Option<&Join>) -> Result<(), String> {
    match join {
        Some(join) => enter_existing(join).map_err(|error| format!("failed to enter the network's namespace: {error}")),
        None if is_privileged() => unshare(UnshareFlags::NEWNET)
            .map_err(|error| format!("failed to make a network namespace: {error}")),
        None => enter_new_user().map_err(|error| {
            format!(
                "failed to make a user namespace: {error}. Allow ordinary users to make them: see user.max_user_namespaces \
                 and, where they exist, kernel.unprivileged_userns_clone and \
                 kernel.apparmor_restrict_unprivileged_userns in sysctl(8)"
            )
        }),
    }
}

fn enter_existing(join: &Join) -> io::Result<()> {
    // Both are opened first: the paths may be out of reach from within.
    let network = File::open(&join.network)?;
    if let Some(user) = &join.user {
        let user = File::open(user)?;
        rustix::thread::move_into_link_name_space(user.as_fd(), Some(LinkNameSpaceType::User))?;
    }
    rustix::thread::move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(())
}

/// Namespaces in which this user is root.
fn enter_new_user() -> io::Result<()> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}

fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: no flag here makes descriptors or memory that other threads rely on go away.
    unsafe { rustix::thread::unshare_unsafe(flags) }?;
    Ok(())
}

/// Descriptors of the network namespace this process is in and, when it is not the host's, of its user namespace.
pub(super) fn descriptors() -> io::Result<Vec<OwnedFd>> {
    let mut descriptors = vec![File::open("/proc/self/ns/net")?.into()];
    if !is_initial(&fs::read_to_string("/proc/self/uid_map")?) {
        descriptors.push(File::open("/proc/self/ns/user")?.into());
    }
    Ok(descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_user_namespace_is_known_by_its_map() {
        assert!(is_initial("         0          0 4294967295\n"));
        assert!(!is_initial("         0       1000          1\n"));
        assert!(!is_initial(""));
    }
}
