//! Entropy.

use super::{Options, Switch};

/// `-device virtio-rng-device`, fed by QEMU from the host's getrandom.
pub(in crate::qemu) struct VirtioRng;

impl Switch for VirtioRng {
    const NAME: &'static str = "-device";

    fn value(&self) -> String {
        Options::new("virtio-rng-device").into_value()
    }
}
