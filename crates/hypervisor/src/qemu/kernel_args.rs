//! What QEMU's machines need on the kernel's command line.

use super::accelerator::Accelerator;
use crate::{Architecture, kernel_args};

/// The frequency of the local APIC's timer that QEMU emulates: it counts nanoseconds.
const LAPIC_TIMER_KHZ: u32 = 1_000_000;

/// What decides the command line.
pub(super) struct KernelArgs<'a> {
    pub(super) architecture: Architecture,
    pub(super) accelerator: Accelerator,
    /// The host's time stamp counter, which an emulated x86-64 guest reads as its own.
    pub(super) tsc_khz: Option<u64>,
    /// Words of the user.
    pub(super) user: &'a [String],
}

impl KernelArgs<'_> {
    pub(super) fn command_line(&self) -> String {
        let mut words = vec!["console=hvc0".to_owned()];
        if self.architecture == Architecture::X86_64 {
            words.push("tsc=reliable".to_owned());
            if self.accelerator == Accelerator::Tcg {
                if let Some(khz) = self.tsc_khz {
                    // Measuring the counter against a timer fails at random when both are emulated.
                    words.push(format!("tsc_early_khz={khz}"));
                    // Saves each further processor its measuring of the delay loop, 0.2 to 0.4 s. The number is right
                    // for 250 timer ticks a second; with another rate it is only unused, since delays use the counter.
                    words.push(format!("lpj={}", khz * 1000 / 250));
                }
                words.push("no_timer_check".to_owned());
                // For our kernel. Another one measures it, and is left without any timer when the host does not run it
                // in the right milliseconds.
                words.push(format!("lapic_timer_khz={LAPIC_TIMER_KHZ}"));
            }
        }
        // Not 0, with which a guest that panicked would hang: restarting ends the machine, and its log says why.
        words.push("panic=-1".to_owned());
        kernel_args::command_line(words, self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command_line(architecture: Architecture, accelerator: Accelerator, user: &[&str]) -> String {
        let user: Vec<_> = user.iter().map(|word| (*word).to_owned()).collect();
        KernelArgs {
            architecture,
            accelerator,
            tsc_khz: Some(2_600_000),
            user: &user,
        }
        .command_line()
    }

    #[test]
    fn the_order_is_fixed() {
        assert_eq!(
            command_line(Architecture::X86_64, Accelerator::Kvm, &["quiet", "loglevel=3"]),
            "console=hvc0 tsc=reliable panic=-1 quiet loglevel=3 oops=panic \
             lsm=lockdown,capability,landlock,yama,apparmor init=/sbin/vminitd ro rootfstype=erofs root=/dev/vda"
        );
    }

    #[test]
    fn an_emulated_guest_is_told_its_clock() {
        let line = command_line(Architecture::X86_64, Accelerator::Tcg, &[]);
        assert!(
            line.starts_with(
                "console=hvc0 tsc=reliable tsc_early_khz=2600000 lpj=10400000 no_timer_check \
                 lapic_timer_khz=1000000 panic=-1 "
            ),
            "{line}"
        );
    }

    #[test]
    fn arm_has_no_time_stamp_counter() {
        let line = command_line(Architecture::Aarch64, Accelerator::Tcg, &[]);
        assert!(line.starts_with("console=hvc0 panic=-1 oops=panic "), "{line}");
    }
}
