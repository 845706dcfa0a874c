//! The agent in virtual machines. Needs QEMU, a kernel, erofs-utils and busybox-static.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

support::scenarios::scenarios!(async { Some(crate::support::machine::start().await) });

mod machine;
