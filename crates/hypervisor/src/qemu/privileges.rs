use std::fs;

use super::accelerator::{self, Accelerator};

/// The first of the user numbers that machines run as: far above what systems and containers hand out.
const BASE: u32 = 0x7000_0000;

/// Process numbers are below this on every Linux.
const PIDS: u32 = 1 << 22;

/// How a QEMU that root starts becomes nobody: a user and group of its own, `BASE` plus its process number.
/// So no two machines are the same user, and none is a user who owns anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Privileges {
    /// The one group that QEMU keeps.
    group: Option<u32>,
}

impl Privileges {
    /// `None` when this process is not root, or is root only of a user namespace without such numbers.
    pub(super) fn choose(accelerator: Accelerator) -> Option<Self> {
        let mapped = |file| fs::read_to_string(file).is_ok_and(|map| is_mapped(&map));
        let root = rustix::process::geteuid().is_root();
        (root && mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map")).then(|| Self {
            group: (accelerator == Accelerator::Kvm)
                .then(accelerator::kvm_group)
                .flatten(),
        })
    }

    /// Gives up root. Only makes system calls, so that it may run between fork and exec.
    pub(super) fn give_up(self) -> std::io::Result<()> {
        let id = BASE + std::process::id();
        let group = self.group.unwrap_or(id);
        // SAFETY: plain system calls; `setgroups` reads one number, which outlives the call.
        let done = unsafe {
            libc::setgroups(usize::from(self.group.is_some()), &raw const group) == 0
                && libc::setresgid(id, id, id) == 0
                && libc::setresuid(id, id, id) == 0
        };
        if done {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    }
}

/// All the numbers are mapped into this user namespace. The format is that of `/proc/<pid>/uid_map`.
fn is_mapped(map: &str) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(inside)), Some(Ok(_)), Some(Ok(count))) = (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        inside <= u64::from(BASE) && u64::from(BASE + PIDS) <= inside.saturating_add(count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_the_system_has_all_users_and_root_of_a_namespace_has_few() {
        assert!(is_mapped("         0          0 4294967295\n"));
        assert!(!is_mapped("         0       1000          1\n"));
        assert!(!is_mapped(
            "         0     100000      65536\n         65536 1 1\n"
        ));
        assert!(!is_mapped(""));
        assert!(!is_mapped("0 0 x"));
    }
}
