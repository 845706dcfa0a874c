//! The board, its processors and its memory.

use super::{Options, Switch};
use crate::qemu::accelerator::Accelerator;

/// `-M`: the board.
pub(in crate::qemu) enum Machine {
    /// x86-64 without PCI and legacy devices: virtio-mmio slots found through ACPI, as many as 24 with it.
    Microvm,
    /// arm64's generic board, here with 32 virtio-mmio slots found through the device tree.
    Virt,
}

impl Switch for Machine {
    const NAME: &'static str = "-M";

    fn value(&self) -> String {
        match self {
            // The PC's interrupt controller is not needed beside the APICs; the clock is, for the guest to know the time
            // before anybody tells it. So is the interval timer: when the host takes the processor away while the kernel
            // measures the local APIC's timer, the kernel gives that one up, and without another it hangs for ever, as
            // one boot in a hundred did on a busy machine. The firmware loads a PVH kernel without option ROMs.
            Self::Microvm => Options::new("microvm")
                .switch("acpi", true)
                .switch("rtc", true)
                .switch("pit", true)
                .switch("pic", false)
                .switch("isa-serial", false)
                .switch("x-option-roms", false)
                .switch("auto-kernel-cmdline", false)
                .into_value(),
            Self::Virt => Options::new("virt").set("gic-version", "max").into_value(),
        }
    }
}

/// `-global`: a property of every device of one kind.
pub(in crate::qemu) struct Global {
    pub(in crate::qemu) driver: &'static str,
    pub(in crate::qemu) property: &'static str,
    pub(in crate::qemu) value: &'static str,
}

impl Global {
    /// Virtio 1 instead of its draft, which QEMU's virtio-mmio still speaks unless told not to.
    pub(in crate::qemu) const MODERN_VIRTIO: Self = Self {
        driver: "virtio-mmio",
        property: "force-legacy",
        value: "off",
    };
}

impl Switch for Global {
    const NAME: &'static str = "-global";

    fn value(&self) -> String {
        format!("{}.{}={}", self.driver, self.property, self.value)
    }
}

/// `-accel`: what runs the guest's instructions.
pub(in crate::qemu) struct Accel(pub(in crate::qemu) Accelerator);

impl Switch for Accel {
    const NAME: &'static str = "-accel";

    fn value(&self) -> String {
        match self.0 {
            Accelerator::Kvm => Options::new("kvm").into_value(),
            Accelerator::Tcg => Options::new("tcg").set("thread", "multi").into_value(),
        }
    }
}

/// `-cpu`: the processor's model.
pub(in crate::qemu) struct Cpu {
    pub(in crate::qemu) model: &'static str,
    /// Features that are added or taken away.
    pub(in crate::qemu) features: Vec<(&'static str, bool)>,
}

impl Switch for Cpu {
    const NAME: &'static str = "-cpu";

    fn value(&self) -> String {
        self.features
            .iter()
            .fold(Options::new(self.model), |options, (feature, on)| {
                options.switch(feature, *on)
            })
            .into_value()
    }
}

/// `-smp`: the number of processors.
pub(in crate::qemu) struct Smp {
    pub(in crate::qemu) cpus: u32,
}

impl Switch for Smp {
    const NAME: &'static str = "-smp";

    fn value(&self) -> String {
        Options::new("").set("cpus", self.cpus).into_value()
    }
}

/// `-m`: the memory, in MiB. It is anonymous and not allocated before the guest touches it.
pub(in crate::qemu) struct Memory {
    pub(in crate::qemu) size: u64,
}

impl Switch for Memory {
    const NAME: &'static str = "-m";

    fn value(&self) -> String {
        Options::new("")
            .set("size", format_args!("{}M", self.size))
            .into_value()
    }
}

/// `-name`: what process lists and QEMU's own messages call the machine.
pub(in crate::qemu) struct Name<'a> {
    pub(in crate::qemu) guest: &'a str,
}

impl Switch for Name<'_> {
    const NAME: &'static str = "-name";

    fn value(&self) -> String {
        Options::new("").set("guest", self.guest).into_value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors() {
        assert_eq!(
            Cpu {
                model: "max",
                features: vec![]
            }
            .value(),
            "max"
        );
        assert_eq!(
            Cpu {
                model: "host",
                features: vec![("vmx", false), ("svm", false), ("x", true)]
            }
            .value(),
            "host,vmx=off,svm=off,x=on"
        );
        assert_eq!(Smp { cpus: 3 }.value(), "cpus=3");
    }

    #[test]
    fn names_with_commas_stay_one_value() {
        assert_eq!(
            Name {
                guest: "a,debug-threads=on"
            }
            .value(),
            "guest=a,,debug-threads=on"
        );
    }

    #[test]
    fn accelerators() {
        assert_eq!(Accel(Accelerator::Kvm).value(), "kvm");
        assert_eq!(Accel(Accelerator::Tcg).value(), "tcg,thread=multi");
    }
}
