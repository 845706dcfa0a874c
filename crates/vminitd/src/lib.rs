//! The guest agent: process 1 of every virtual machine.
//!
//! One static binary with several modes (behaviour.md 29.1): the [`agent`] itself, the [`launcher`]
//! that turns a fresh process into a container's, and the small [`init`] that a container may run as
//! its own first process. Everything the host wants done arrives as a call of the `SandboxContext`
//! service, implemented in [`service`].

#![cfg(target_os = "linux")]

pub mod agent;
mod boot;
mod cgroup;
mod error;
pub mod init;
pub mod launcher;
mod log;
mod options;
mod process;
mod readiness;
mod rooted;
pub mod service;
pub mod transport;

use container_netlink as netlink;
