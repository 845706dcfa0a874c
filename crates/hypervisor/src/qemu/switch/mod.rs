//! QEMU's command line, one struct per switch.
//!
//! Each struct has the name of the switch or device and fields with QEMU's own names. It makes exactly one
//! `-switch value` pair, so that a line of a process list can be read back against this directory.

pub(super) mod block;
pub(super) mod boot;
pub(super) mod control;
pub(super) mod machine;
pub(super) mod net;
pub(super) mod rng;
pub(super) mod serial;
pub(super) mod shares;

use std::fmt::{Display, Write};

/// One switch.
pub(super) trait Switch {
    /// The switch, with its dash.
    const NAME: &'static str;

    /// What follows it.
    fn value(&self) -> String;
}

/// A command line that grows.
#[derive(Debug)]
pub(super) struct CommandLine {
    words: Vec<String>,
    /// The slot of the next device, where they are to be named.
    slot: Option<u32>,
}

impl CommandLine {
    /// An empty one, for a board that fills its slots from the first one on, or whose `named_slots` have to be said.
    pub(super) fn new(named_slots: bool) -> Self {
        Self {
            words: Vec::new(),
            slot: named_slots.then_some(0),
        }
    }

    pub(super) fn push<S: Switch>(&mut self, switch: &S) {
        self.flag(S::NAME);
        self.words.push(switch.value());
    }

    /// A device that takes the next slot.
    pub(super) fn device<S: Switch>(&mut self, device: &S) {
        self.push(device);
        if let (Some(slot), Some(value)) = (&mut self.slot, self.words.last_mut()) {
            value.push_str(&format!(",bus=virtio-mmio-bus.{slot}"));
            *slot += 1;
        }
    }

    /// A switch without a value.
    pub(super) fn flag(&mut self, name: &str) {
        self.words.push(name.to_owned());
    }

    pub(super) fn into_words(self) -> Vec<String> {
        self.words
    }
}

/// A value of the form `driver,key=value,…`.
pub(super) struct Options(String);

impl Options {
    /// Begins with the word that has no key.
    pub(super) fn new(driver: &str) -> Self {
        Self(driver.to_owned())
    }

    /// Adds a key. A comma in the value is doubled, which is how QEMU wants it.
    pub(super) fn set(mut self, key: &str, value: impl Display) -> Self {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        let value = value.to_string().replace(',', ",,");
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{key}={value}");
        self
    }

    /// Adds a key that is on or off.
    pub(super) fn switch(self, key: &str, on: bool) -> Self {
        self.set(key, if on { "on" } else { "off" })
    }

    pub(super) fn into_value(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_joined_and_commas_doubled() {
        let value = Options::new("virtio-blk-device")
            .set("serial", "a,b")
            .switch("x", false)
            .into_value();
        assert_eq!(value, "virtio-blk-device,serial=a,,b,x=off");
        assert_eq!(Options::new("").set("size", 7).into_value(), "size=7");
    }
}
