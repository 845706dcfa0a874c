//! Options that parse but that this version cannot carry out.

use std::path::Path;

use container_resource::Platform;

use super::mounts;
use crate::error::Failure;
use crate::flags::management::ManagementFlags;
use crate::parse::{publish, publish_socket};

/// Refuses such options; a value that breaks its grammar is reported as that.
pub(super) fn check(flags: &ManagementFlags) -> Result<(), Failure> {
    publish::parse_all(&flags.publish)?;
    refuse("--publish", !flags.publish.is_empty())?;
    for text in &flags.publish_socket {
        publish_socket::parse(text, Path::new("/"))?;
    }
    refuse("--publish-socket", !flags.publish_socket.is_empty())?;
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
