//! Processes on macOS.

mod process;

pub(crate) use process::{Process, boot_id, start_time};

/// Nothing to do: what is opened here is close-on-exec, and there is no call that marks the rest.
pub(crate) fn keep_descriptors_private() {}
