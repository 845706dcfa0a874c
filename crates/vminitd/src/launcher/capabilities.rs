//! Capability names as bit masks.

use std::collections::HashSet;

use oci_spec::runtime::{Capability, LinuxCapabilities};

use super::syscalls::CapabilityMasks;

/// The capabilities in the order of their numbers, as `linux/capability.h` has them.
const NUMBERED: [Capability; 41] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::LinuxImmutable,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::SysModule,
    Capability::SysRawio,
    Capability::SysChroot,
    Capability::SysPtrace,
    Capability::SysPacct,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysNice,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Mknod,
    Capability::Lease,
    Capability::AuditWrite,
    Capability::AuditControl,
    Capability::Setfcap,
    Capability::MacOverride,
    Capability::MacAdmin,
    Capability::Syslog,
    Capability::WakeAlarm,
    Capability::BlockSuspend,
    Capability::AuditRead,
    Capability::Perfmon,
    Capability::Bpf,
    Capability::CheckpointRestore,
];

/// All sets of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) bounding: u64,
    pub(super) ambient: u64,
    pub(super) masks: CapabilityMasks,
}

impl From<&LinuxCapabilities> for Capabilities {
    fn from(sets: &LinuxCapabilities) -> Self {
        Self {
            bounding: mask(sets.bounding().as_ref()),
            ambient: mask(sets.ambient().as_ref()),
            masks: CapabilityMasks {
                effective: mask(sets.effective().as_ref()),
                permitted: mask(sets.permitted().as_ref()),
                inheritable: mask(sets.inheritable().as_ref()),
            },
        }
    }
}

/// The capabilities of a set, bit n standing for capability n.
fn mask(set: Option<&HashSet<Capability>>) -> u64 {
    let Some(set) = set else { return 0 };
    NUMBERED
        .iter()
        .enumerate()
        .filter(|(_, capability)| set.contains(capability))
        .fold(0, |mask, (n, _)| mask | 1 << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        let set: HashSet<_> = [
            Capability::Chown,
            Capability::SysAdmin,
            Capability::CheckpointRestore,
        ]
        .into();
        assert_eq!(mask(Some(&set)), 1 | 1 << 21 | 1 << 40);
        assert_eq!(mask(None), 0);
        assert_eq!(NUMBERED.iter().collect::<HashSet<_>>().len(), NUMBERED.len());
    }
}
