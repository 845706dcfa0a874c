use std::fs::{self, OpenOptions};

use crate::Architecture;

const KVM: &str = "/dev/kvm";

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Accelerator {
    /// The host's processor.
    Kvm,
    /// An emulator, which translates them.
    Tcg,
}

impl Accelerator {
    /// The best one for guests of this architecture.
    pub(super) fn detect(guest: Architecture) -> Self {
        let kvm = guest == Architecture::HOST
            && virtualization_extension(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
            && OpenOptions::new().read(true).write(true).open(KVM).is_ok();
        if kvm { Self::Kvm } else { Self::Tcg }
    }
}

/// `/dev/kvm` alone does not mean that it works: on hosts that are virtual machines themselves it may be there
/// while the processor lacks the extension, and guests hang. On arm64 the device only exists where it works.
fn virtualization_extension(cpuinfo: &str) -> bool {
    Architecture::HOST == Architecture::Aarch64
        || cpuinfo
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == "flags")
            .is_some_and(|(_, flags)| flags.split_whitespace().any(|flag| matches!(flag, "vmx" | "svm")))
}

/// The host's KVM lets guests run virtual machines themselves.
pub(super) fn nested() -> bool {
    ["kvm_intel", "kvm_amd", "kvm"].iter().any(|module| {
        fs::read_to_string(format!("/sys/module/{module}/parameters/nested"))
            .is_ok_and(|value| matches!(value.trim(), "Y" | "y" | "1"))
    })
}

/// The group that may use KVM, which QEMU must keep when it changes its user.
pub(super) fn kvm_group() -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(KVM).ok().map(|metadata| metadata.gid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_processor_must_have_the_extension() {
        let cpuinfo = |flags: &str| {
            format!("processor\t: 0\nmodel name\t: vmx\nflags\t\t: fpu {flags} tsc\nbugs\t: svm\n")
        };
        assert!(virtualization_extension(&cpuinfo("vmx")));
        assert!(virtualization_extension(&cpuinfo("svm")));
        assert!(!virtualization_extension(&cpuinfo("vmx_fake hypervisor")));
        assert!(!virtualization_extension(""));
    }

    #[test]
    fn another_architecture_is_always_emulated() {
        let other = match Architecture::HOST {
            Architecture::X86_64 => Architecture::Aarch64,
            Architecture::Aarch64 => Architecture::X86_64,
        };
        assert_eq!(Accelerator::detect(other), Accelerator::Tcg);
    }
}
