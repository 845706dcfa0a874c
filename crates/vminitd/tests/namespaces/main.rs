//! The agent in namespaces of this machine. Needs root, util-linux and busybox-static.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

support::scenarios::scenarios!(crate::support::namespaces::start());
