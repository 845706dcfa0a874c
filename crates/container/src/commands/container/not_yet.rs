//! Options that parse but that this version cannot carry out.

use container_resource::Platform;

use super::mounts;
use crate::error::Failure;
use crate::flags::management::ManagementFlags;

/// Refuses such options; a value that breaks its grammar is reported as that.
pub(super) fn check(flags: &ManagementFlags) -> Result<(), Failure> {
    mounts::parse(flags)?;
    if flags.rosetta && Platform::linux_host().architecture != "arm64" {
        return Err(Failure::error("--rosetta flag requires an arm64 host"));
    }
    refuse("--rosetta", flags.rosetta)
}

fn refuse(option: &str, given: bool) -> Result<(), Failure> {
    if given {
        Err(Failure::error(format!(
            "{option}: this version does not have it yet"
        )))
    } else {
        Ok(())
    }
}
