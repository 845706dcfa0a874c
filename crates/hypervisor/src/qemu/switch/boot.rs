//! The kernel and its command line.

use std::os::fd::RawFd;

use super::Switch;

/// `-kernel`, by descriptor: the process need not be able to reach the file by its path.
pub(in crate::qemu) struct Kernel {
    pub(in crate::qemu) fd: RawFd,
}

impl Switch for Kernel {
    const NAME: &'static str = "-kernel";

    fn value(&self) -> String {
        format!("/proc/self/fd/{}", self.fd)
    }
}

/// `-append`: the kernel's command line.
pub(in crate::qemu) struct Append(pub(in crate::qemu) String);

impl Switch for Append {
    const NAME: &'static str = "-append";

    fn value(&self) -> String {
        self.0.clone()
    }
}
