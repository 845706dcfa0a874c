//! What the host controls QEMU with, and what QEMU may do.

use super::{Options, Switch};

/// `-mon`: the monitor, speaking QMP.
pub(in crate::qemu) struct Mon<'a> {
    pub(in crate::qemu) chardev: &'a str,
}

impl Switch for Mon<'_> {
    const NAME: &'static str = "-mon";

    fn value(&self) -> String {
        Options::new("")
            .set("chardev", self.chardev)
            .set("mode", "control")
            .into_value()
    }
}

/// `-sandbox`: the system calls that a virtual machine never needs.
pub(in crate::qemu) struct Sandbox;

impl Switch for Sandbox {
    const NAME: &'static str = "-sandbox";

    fn value(&self) -> String {
        Options::new("on")
            .set("obsolete", "deny")
            .set("elevateprivileges", "deny")
            .set("spawn", "deny")
            .set("resourcecontrol", "deny")
            .into_value()
    }
}
